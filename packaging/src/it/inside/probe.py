"""Prints what a process sees and may, one JSON object of text by text. Runs in containers; asks the kernel, never the engine.

    probe.py [deep] [calls] [stay]

deep: also all of /proc and /sys; calls: also what each system call answers to nonsense; stay: lives on, until killed.
"""
import array, ctypes, errno, fcntl, json, os, stat, sys, termios, time

facts = {}
libc = ctypes.CDLL(None, use_errno=True)


def put(key, value):
    facts[key] = str(value)


def attempt(call, *args):
    """What a call returns, or the name of its error."""
    try:
        return call(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)


def read(path):
    def whole():
        with open(path, 'rb', buffering=0) as f:
            return f.read().decode('latin-1')
    return attempt(whole)


def kind(mode):
    return stat.filemode(mode)


def descriptors():
    for n in range(256):
        try:
            s = os.fstat(n)
        except OSError:
            continue
        name = os.readlink('/proc/self/fd/%d' % n)
        flags = fcntl.fcntl(n, fcntl.F_GETFL)
        put('fd.%d' % n, '%s %s %d:%d rdev %x flags %o cloexec %d' % (
            name.split(':')[0] if ':' in name else name, kind(s.st_mode), s.st_uid, s.st_gid, s.st_rdev, flags & ~0o100000, fcntl.fcntl(n, fcntl.F_GETFD)))


def process():
    wanted = ('Uid Gid Groups Umask NStgid NSpid NSpgid NSsid Threads SigPnd ShdPnd SigBlk SigIgn SigCgt CapInh CapPrm CapEff CapBnd CapAmb '
              'NoNewPrivs Seccomp Seccomp_filters Speculation_Store_Bypass SpeculationIndirectBranch Cpus_allowed Mems_allowed '
              'THP_enabled CoreDumping TracerPid').split()
    for line in read('/proc/self/status').splitlines():
        name, _, value = line.partition(':')
        if name in wanted:
            # A pid says nothing; in how many namespaces there is one does.
            put('status.' + name, len(value.split()) if name.startswith('NS') else value.strip())
    for line in read('/proc/self/limits').splitlines()[1:]:
        put('limit.' + line[:26].strip(), ' '.join(line[26:].split()))
    for name in 'uid_map gid_map setgroups cgroup coredump_filter personality timerslack_ns loginuid sessionid comm'.split():
        put('self.' + name, ' '.join(str(read('/proc/self/' + name)).split()))
    for name in 'current exec prev'.split():
        put('self.attr.' + name, str(read('/proc/self/attr/' + name)).strip())
    put('self.cwd', os.getcwd())
    put('self.root', attempt(os.readlink, '/proc/self/root'))
    put('self.exe', attempt(os.readlink, '/proc/self/exe'))
    put('self.cmdline', read('/proc/self/cmdline').replace('\0', ' '))
    fields = read('/proc/self/stat').rpartition(')')[2].split()
    put('self.tty', fields[4])
    put('self.exit_signal', fields[35])
    put('self.sid', 'own' if os.getsid(0) == os.getpid() else os.getsid(0))
    put('self.pgid', 'own' if os.getpgid(0) == os.getpid() else os.getpgid(0))
    put('self.ppid', 'outside' if os.getppid() == 0 else 'seen')
    put('self.nice', os.getpriority(os.PRIO_PROCESS, 0))
    put('self.scheduler', '%d %d' % (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority))
    put('self.ioprio', libc.syscall({'x86_64': 252}.get(os.uname().machine, 31), 1, 0))
    for name, option in dict(pdeathsig=2, dumpable=3, keepcaps=7, timing=13, securebits=27, tsc=25, timerslack=30, subreaper=37, thp_disable=42).items():
        value = ctypes.c_int(0)
        result = libc.prctl(option, ctypes.byref(value), 0, 0, 0) if name in ('pdeathsig', 'tsc', 'subreaper') else libc.prctl(option, 0, 0, 0, 0)
        put('prctl.' + name, '%d %d' % (result, value.value))


def environment():
    with open('/proc/self/environ', 'rb') as f:
        entries = [e.decode('latin-1') for e in f.read().split(b'\0') if e]
    put('env.order', ' '.join(e.partition('=')[0] for e in entries))
    for entry in entries:
        name, _, value = entry.partition('=')
        put('env.' + name, value)


def mounts():
    points = {}
    order = []
    lines = [line.split() for line in read('/proc/self/mountinfo').splitlines()]
    by_id = {f[0]: f[4] for f in lines}
    for f in lines:
        dash = f.index('-')
        point = f[4]
        points[point] = points.get(point, 0) + 1
        name = point if points[point] == 1 else '%s (%d)' % (point, points[point])
        order.append(name)
        source = f[dash + 2]
        options = f[dash + 3] if len(f) > dash + 3 else ''
        if f[dash + 1] == 'overlay':
            source, options = 'overlay', ','.join(o for o in options.split(',') if not o.split('=')[0].endswith('dir') and o != 'uuid=on')
        put('mount.' + name, ' '.join([f[3], f[5], ' '.join(x.split(':')[0] for x in f[6:dash]), f[dash + 1], source, options,
                                       'on ' + by_id.get(f[1], 'nothing seen')]))
    put('mount.order', ' '.join(order))


def look(path, key, opened):
    try:
        s = os.lstat(path)
    except OSError as e:
        put(key, errno.errorcode[e.errno])
        return None
    text = '%s %d:%d' % (kind(s.st_mode), s.st_uid, s.st_gid)
    if stat.S_ISLNK(s.st_mode):
        text += ' -> ' + str(attempt(os.readlink, path))
    if stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode):
        text += ' %d,%d' % (os.major(s.st_rdev), os.minor(s.st_rdev))
    if opened and stat.S_ISREG(s.st_mode):
        for name, flag in (('r', os.O_RDONLY), ('w', os.O_WRONLY)):
            fd = attempt(os.open, path, flag | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            if isinstance(fd, int):
                os.close(fd)
                fd = 'ok'
            text += ' %s=%s' % (name, fd)
    put(key, text)
    return s


def walk(path, prefix, depth, opened, skip=lambda p: False):
    s = look(path, prefix + path, opened)
    if s is None or not stat.S_ISDIR(s.st_mode):
        return
    names = attempt(os.listdir, path)
    if isinstance(names, str):
        put(prefix + path + '/', names)
    elif depth > 0:
        for name in sorted(names):
            inner = os.path.join(path, name)
            if not skip(inner):
                walk(inner, prefix, depth - 1, opened, skip)


def devices():
    walk('/dev', 'dev ', 3, False, lambda p: p.startswith('/dev/mqueue/') or p.startswith('/dev/shm/'))
    put('devices.list', ' | '.join(sorted(str(read('/sys/fs/cgroup/devices/devices.list')).split('\n'))))


def control_groups():
    walk('/sys/fs/cgroup', 'cgroup ', 2, True)
    for group in attempt(os.listdir, '/sys/fs/cgroup') or []:
        for name in 'notify_on_release release_agent cpu.shares cpu.cfs_quota_us cpuset.cpus memory.limit_in_bytes memory.swappiness pids.max'.split():
            path = '/sys/fs/cgroup/%s/%s' % (group, name)
            if os.path.exists(path):
                put('cgroup value ' + path, str(read(path)).strip())


# What no engine decides, and changes by itself.
VOLATILE = ('/proc/sys/kernel/random', '/proc/sys/fs/inode', '/proc/sys/fs/file-nr', '/proc/sys/fs/dentry', '/proc/sys/kernel/ns_last_pid',
            '/proc/sys/fs/quota', '/proc/sys/kernel/pty/nr', '/proc/sys/fs/aio-nr', '/proc/sys/net/netfilter/nf_conntrack_count',
            '/proc/sys/fs/epoll', '/proc/sys/net/ipv4/tcp_fastopen_key')


def kernel_files():
    def skipped(path):
        first = path.split('/')[2]
        # What is below /proc/<pid> is seen by looking at oneself; a module's or a device's own folder is the host's business.
        return first.isdigit() or first in ('self', 'thread-self', 'task') or path.startswith('/proc/sys/') or path.startswith('/proc/irq/')
    walk('/proc', 'path ', 3, True, skipped)
    walk('/proc/sys', 'path ', 6, True)
    walk('/proc/self', 'path ', 1, True, lambda p: p.endswith('/clear_refs'))
    walk('/sys', 'path ', 3, True, lambda p: p == '/sys/fs/cgroup' or p.startswith('/sys/class/') or p.startswith('/sys/bus/')
         or p.startswith('/sys/devices/virtual/') or p.startswith('/sys/kernel/slab/') or p.startswith('/sys/module/') or p.startswith('/sys/dev/'))


def sysctls(below):
    for folder, _, files in os.walk(below):
        for name in files:
            path = os.path.join(folder, name)
            if not path.startswith(VOLATILE):
                put('value ' + path, ' '.join(str(read(path)).split()))


def namespaces():
    for name in sorted(os.listdir('/proc/self/ns')):
        put('ns.' + name, attempt(os.readlink, '/proc/self/ns/' + name))


def terminal():
    for n in range(3):
        if not os.isatty(n):
            put('tty.%d' % n, 'none')
            continue
        size = array.array('H', [0] * 4)
        fcntl.ioctl(n, termios.TIOCGWINSZ, size)
        put('tty.%d' % n, os.ttyname(n))
        put('tty.%d.size' % n, size.tolist())
        put('tty.%d.modes' % n, [b if not isinstance(b, list) else b''.join(c if isinstance(c, bytes) else bytes([c]) for c in b).hex() for b in termios.tcgetattr(n)])
        put('tty.%d.foreground' % n, 'own' if attempt(os.tcgetpgrp, n) == os.getpgrp() else attempt(os.tcgetpgrp, n))
    put('tty.controlling', 'none' if isinstance(attempt(os.open, '/dev/tty', os.O_RDWR), str) else 'yes')


def root_folder():
    walk('/', 'root ', 1, False, lambda p: p in ('/proc', '/sys', '/dev'))
    for path in ('/etc/hosts', '/etc/hostname', '/etc/resolv.conf'):
        put('content ' + path, read(path))
    put('root.write', attempt(lambda: os.close(os.open('/.probe', os.O_CREAT | os.O_WRONLY)) or os.unlink('/.probe')))


def keyrings():
    number = {'x86_64': 250}.get(os.uname().machine, 219)
    ctypes.set_errno(0)
    ring = libc.syscall(number, 0, -3, 0)               # KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING
    if ring == -1:
        put('keyring.session', errno.errorcode[ctypes.get_errno()])
        return
    text = ctypes.create_string_buffer(256)
    libc.syscall(number, 6, ring, text, 256)            # KEYCTL_DESCRIBE
    put('keyring.session', text.value.decode())
    links = (ctypes.c_int32 * 64)()
    put('keyring.links', libc.syscall(number, 11, ring, links, 256) // 4)


def names():
    u = os.uname()
    put('uts.nodename', u.nodename)
    put('uts.domainname', read('/proc/sys/kernel/domainname').strip())


def calls():
    """Each system call in a process of its own: some end or stop whoever makes them."""
    # pause(2) is waited for in vain, and vfork(2) cannot be called from here.
    left_out = (34, 58) if os.uname().machine == 'x86_64' else ()
    for number in [n for n in range(0, 480) if n not in left_out] + [0x40000000 + n for n in (0, 1, 39, 57, 101, 165, 272, 520, 545)]:
        r, w = os.pipe()
        child = os.fork()
        if child == 0:
            import signal
            # A clone without a stack, a stopped read: whatever happens, it ends.
            signal.alarm(10)
            for fd in (0, 1, 2):
                os.close(fd)
            ctypes.set_errno(0)
            me = os.getpid()
            result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
            e = ctypes.get_errno()
            if os.getpid() == me:
                os.write(w, ('%s' % (errno.errorcode.get(e, e) if result == -1 else 'done')).encode())
            os._exit(0)
        os.close(w)
        answer = os.read(r, 64).decode()
        os.close(r)
        _, status = os.waitpid(child, 0)
        put('call.%d' % number, answer or ('signal %d' % os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'exit'))


descriptors()
process()
environment()
mounts()
terminal()
devices()
control_groups()
namespaces()
names()
keyrings()
root_folder()
sysctls('/proc/sys/net')
if 'deep' in sys.argv:
    sysctls('/proc/sys')
    kernel_files()
if 'calls' in sys.argv:
    calls()
# Given to a process after its start by some engines, so read last.
put('self.oom_score_adj', read('/proc/self/oom_score_adj').strip())
sys.stdout.write(json.dumps(facts) + '\n')
sys.stdout.flush()
if 'stay' in sys.argv:
    time.sleep(1000)
