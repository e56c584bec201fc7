import { SOCKET_NAME } from './channel-door.ts';
import { CHANNEL_FOLDER } from './container-settings.ts';

/**
 * Python that connects to the platform and becomes a program, of whatever language: with the channel as descriptor 3 and an environment of its own, whatever the image
 * has set. argv: NAME=value of what that has besides; then the program, an absolute path or `python3` for this interpreter; then its arguments.
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
argv = sys.argv[1:]
while "=" in argv[0]:
    name, _, value = argv.pop(0).partition("=")
    environment[name] = value
if argv[0] == "python3":
    argv[0] = sys.executable
posix.execve(argv[0], argv, environment)
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
