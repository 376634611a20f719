package io.balena.engine.runtime.seccomp;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/// The filter that a running process has, as the kernel tells whoever traces it.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/ptrace.2.html">ptrace(2), PTRACE_SECCOMP_GET_FILTER</a>
final class LoadedFilter {
    private static final String SCRIPT = """
            import ctypes, os, sys
            SEIZE, INTERRUPT, GET_FILTER, DETACH, WALL = 0x4206, 0x4207, 0x420c, 17, 0x40000000
            libc = ctypes.CDLL(None, use_errno=True)
            libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
            libc.ptrace.restype = ctypes.c_long
            def ptrace(request, address=None, data=None):
                result = libc.ptrace(request, pid, address, data)
                if result < 0: sys.exit('ptrace %x: %s' % (request, os.strerror(ctypes.get_errno())))
                return result
            pid = int(sys.argv[1])
            ptrace(SEIZE)
            ptrace(INTERRUPT)
            os.waitpid(pid, WALL)
            size = ptrace(GET_FILTER) * 8
            program = ctypes.create_string_buffer(size)
            ptrace(GET_FILTER, None, program)
            ptrace(DETACH)
            print(program.raw.hex())
            """;

    private LoadedFilter() {}

    static BpfMachine of(long pid) throws IOException, InterruptedException {
        var python = new ProcessBuilder("/usr/bin/python3", "-c", SCRIPT, Long.toString(pid)).redirectErrorStream(true).start();
        String out = new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertEquals(0, python.waitFor(), out);
        return new BpfMachine(HexFormat.of().parseHex(out));
    }
}
