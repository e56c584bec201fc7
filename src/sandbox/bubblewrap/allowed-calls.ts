/**
 * What functions may ask of the kernel: Docker's default list, less what nothing in Python's life needs and what has been a way out of
 * sandboxes. Names that an architecture hasn't got are passed over.
 */
export const ALLOWED = `
  read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range dup dup2 dup3 fcntl flock
  open openat openat2 creat stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat
  getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat
  chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat umask truncate ftruncate fallocate utime utimes utimensat futimesat
  fsync fdatasync sync_file_range readahead fadvise64 copy_file_range sendfile splice tee
  getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
  pipe pipe2 poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
  eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime memfd_create

  mmap munmap mremap mprotect madvise msync mincore brk mlock mlock2 munlock mlockall munlockall membarrier cachestat mseal
  pkey_mprotect pkey_alloc pkey_free map_shadow_stack

  fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill pidfd_open pidfd_send_signal
  getpid getppid gettid getpgid getpgrp setpgid getsid setsid
  getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups
  capget capset prctl arch_prctl set_tid_address set_robust_list get_robust_list rseq restart_syscall
  futex futex_waitv futex_wait futex_wake futex_requeue
  rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend sigaltstack pause
  getrlimit setrlimit prlimit64 getrusage times getpriority setpriority ioprio_get ioprio_set getcpu
  sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_getattr
  sched_setattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval
  landlock_create_ruleset landlock_add_rule landlock_restrict_self

  clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time alarm getitimer setitimer
  timer_create timer_settime timer_gettime timer_getoverrun timer_delete

  connect accept accept4 bind listen getsockname getpeername getsockopt setsockopt shutdown
  sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg

  shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl
  mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr

  uname sysinfo getrandom
`
  .trim()
  .split(/\s+/);

/**
 * Not allowed, and answered with ENOSYS, as by a kernel that hasn't got them, so that callers take the older way that they all have:
 * clone3, whose flags lie in memory that a filter can't read (the C library: clone); the new mount interface and statmount (libmount:
 * /proc/self/mountinfo); native AIO (libaio's users: threads); seccomp (libseccomp: prctl); memfd_secret, vmsplice and
 * remap_file_pages, whose users try them first; the *at calls for attributes (the calls without at); io_uring stays EPERM, which libuv
 * and liburing take for "switched off by the operator".
 */
export const ABSENT = `
  clone3 open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick mount_setattr statmount listmount
  io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents seccomp memfd_secret vmsplice remap_file_pages
  process_madvise process_mrelease lsm_get_self_attr lsm_set_self_attr lsm_list_modules
  setxattrat getxattrat listxattrat removexattrat file_getattr file_setattr
`
  .trim()
  .split(/\s+/);

/**
 * These say that they have done it, and do nothing: all that a sandbox may write lies in memory, and they would write back the disks of
 * the whole machine.
 */
export const NEEDLESS = ['sync', 'syncfs'];
