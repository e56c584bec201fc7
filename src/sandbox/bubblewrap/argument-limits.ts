/** What the system call filter lets through by argument only, whoever loads it: see seccomp.ts and ../docker/seccomp-profile.ts. */

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. (NEWTIME isn't a flag of clone.) */
export const CLONE_NAMESPACES = 0x7e020000;
/** TIOCSTI and TIOCLINUX, which type into terminals. */
export const FORBIDDEN_IOCTLS = [0x5412, 0x541c];
/** PER_LINUX and PER_LINUX32, with and without UNAME26, and the question for the current one; not ADDR_NO_RANDOMIZE and its like. */
export const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0xffffffff];
/** In a mode, set for character and block devices and for nothing else that mknod makes. */
export const DEVICE = 0x2000;

/** AF_UNIX; AF_INET and AF_INET6; AF_NETLINK, of which NETLINK_ROUTE only. */
export const LOCAL_FAMILY = 1;
export const INTERNET_FAMILIES = [2, 10];
export const NETLINK_FAMILY = 16;
export const NETLINK_ROUTE = 0;
/** Of a socket's type, the part that isn't flags. */
export const SOCKET_TYPE = 0xf;
export const SOCKET_TYPES = [1, 2, 3]; // STREAM, DGRAM, RAW (which the kernel refuses without CAP_NET_RAW)
/** 0, ICMP, TCP, UDP, ICMPv6. Others (SCTP, DCCP, L2TP…) make the kernel load modules that few have looked at. */
export const INTERNET_PROTOCOLS = [0, 1, 6, 17, 58];
