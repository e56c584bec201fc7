import { SOCKET_NAME } from './channel-door.ts';
import { CHANNEL_FOLDER } from './container-settings.ts';

/**
 * Python that connects to the platform and becomes the agent: with the channel as descriptor 3 and an environment of its own, whatever the image has set.
 * argv: the agent's own.
 */
export const CONNECT = `
import posix, sys
import _socket
channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
channel.connect("${CHANNEL_FOLDER}/${SOCKET_NAME}")
if channel.fileno() != 3:
    posix.dup2(channel.fileno(), 3)
else:
    posix.set_inheritable(3, True)
environment = {"PATH": sys.executable.rpartition("/")[0] + ":/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "PWD": "/tmp"}
posix.execve(sys.executable, [sys.executable, "-I", "-S", "-B"] + sys.argv[1:], environment)
`;

/** Python that runs a command, argv, once the platform has ended its connection: then everything about the container is in place. */
export const HOLD = `
import os, sys
import _socket
channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
channel.connect("${CHANNEL_FOLDER}/${SOCKET_NAME}")
while channel.recv(1):
    pass
channel.close()
os.execvp(sys.argv[1], sys.argv[1:])
`;
