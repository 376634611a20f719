package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Makes every system call from inside, natively, as a program for 32-bit x86 and as one for x32, and compares what comes of it with the
/// same container of dockerd and runc.
@ExtendWith(SharedSideBySide.class)
class SeccompProbeIT {
    /// All arguments are -1, which hardly any call takes for valid; whoever dies of one is replaced. Prints `architecture number result`.
    private static final String PROBE = """
            import ctypes, mmap, os, sys
            page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            minus_one = lambda *registers: b''.join(r + b'\\xff\\xff\\xff\\xff' for r in registers)
            native = b'\\x89\\xf8' + minus_one(b'\\x48\\xc7\\xc7', b'\\x48\\xc7\\xc6', b'\\x48\\xc7\\xc2', b'\\x49\\xc7\\xc2', b'\\x49\\xc7\\xc0', b'\\x49\\xc7\\xc1') + b'\\x0f\\x05\\xc3'
            compat = (b'\\x53\\x55\\x89\\xf8' + minus_one(b'\\x48\\xc7\\xc3', b'\\x48\\xc7\\xc1', b'\\x48\\xc7\\xc2', b'\\x48\\xc7\\xc6', b'\\x48\\xc7\\xc7', b'\\x48\\xc7\\xc5')
                      + b'\\xcd\\x80\\x5d\\x5b\\xc3')
            page.write(native.ljust(256) + compat)
            at = ctypes.addressof(ctypes.c_char.from_buffer(page))
            call = {'x86-64': ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_uint)(at), 'x86': ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint)(at + 256)}
            call['x32'] = lambda number: call['x86-64'](number | 0x40000000)
            # Those that end, double or stop whoever makes them, and those that write all of the machine's files to its disks.
            never = {'x86-64': {15, 34, 57, 58, 60, 162, 231}, 'x86': {1, 2, 29, 36, 72, 119, 173, 190, 252}, 'x32': {162}}
            for architecture in call:
                left = [number for number in range(501) if number not in never[architecture]]
                while left:
                    reader, writer = os.pipe()
                    child = os.fork()
                    if child == 0:
                        for number in left:
                            result = call[architecture](number)
                            os.write(writer, b'%s %d %d\\n' % (architecture.encode(), number, result if -4096 < result < 0 else 0))
                        os._exit(0)
                    os.close(writer)
                    with os.fdopen(reader) as answers: made = answers.readlines()
                    status = os.waitpid(child, 0)[1]
                    sys.stdout.write(''.join(made))
                    left = left[len(made):]
                    if left: print(architecture, left.pop(0), 'killed %d' % os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'ended')
            """;

    private static final String ENOSYS = "-38";
    /// What stands in the newer kernels' tables, and not in those of Debian's libseccomp.
    private static final int NEWEST_KNOWN_TO_LIBSECCOMP = 449;
    private static final int URETPROBE = 335;

    private final SideBySide engines;
    private final Path probe;

    SeccompProbeIT(SideBySide engines) throws IOException {
        this.engines = engines;
        probe = Files.writeString(engines.ours.scratch().resolve("probe.py"), PROBE);
    }

    @BeforeAll static void isPossible() {
        assumeTrue(System.getProperty("os.arch").equals("amd64"), "the probe is machine code for x86-64");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/python3")), "needs python3");
    }

    /// What came of each call, by architecture and number.
    private Map<String, String> probed(Engine engine, String... options) {
        var outcome = engine.docker().command("run", "--rm", "--network", "none", "-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v",
                "/usr/lib64:/lib64:ro", "-v", probe + ":/probe.py:ro").and(options).and(BusyboxImage.NAME, "/usr/bin/python3", "-I", "-S", "/probe.py").run();
        Map<String, String> results = new TreeMap<>();
        for (String line : outcome.succeeded().split("\n")) {
            int space = line.indexOf(' ', line.indexOf(' ') + 1);
            results.put(line.substring(0, space), line.substring(space + 1));
        }
        assertTrue(results.size() > 1400, () -> "calls made: " + results.size());
        return results;
    }

    private static Set<String> differences(Map<String, String> theirs, Map<String, String> ours) {
        Set<String> all = new TreeSet<>();
        for (var call : theirs.entrySet()) {
            String other = ours.get(call.getKey());
            if (!call.getValue().equals(other)) all.add(call.getKey() + ": " + call.getValue() + " there, " + other + " here");
        }
        return all;
    }

    private static int number(String difference) {
        return Integer.parseInt(difference.substring(difference.indexOf(' ') + 1, difference.indexOf(':')));
    }

    /// Whether it is allowed by name, and libseccomp does not know that name: then it looks missing there, or on x32, whose own calls
    /// have higher numbers, forbidden.
    private static boolean isNew(String difference) {
        boolean looksMissing = difference.contains(": " + ENOSYS + " there");
        boolean forbidden = difference.startsWith("x32 ") && difference.contains(": -1 there");
        return (number(difference) > NEWEST_KNOWN_TO_LIBSECCOMP || number(difference) == URETPROBE) && (looksMissing || forbidden);
    }

    private static String[] words(String options) {
        return options.isEmpty() ? new String[0] : options.split(" ");
    }

    @ParameterizedTest
    @CsvSource({
        "''",
        "--cap-add SYS_ADMIN --cap-add SYS_PTRACE --cap-add SYS_TIME --cap-add SYSLOG --cap-add DAC_READ_SEARCH --cap-add SYS_NICE",
        "--cap-drop ALL --security-opt no-new-privileges -u web",
    })
    void theDefaultProfileHasTheEffectItHasUnderRunc(String options) {
        String profile = Path.of("..", "engine-daemon/src/main/resources/io/balena/engine/daemon/container/spec/seccomp.json").toString();
        List<String> given = new ArrayList<>(List.of("--security-opt", "seccomp=" + profile));
        given.addAll(List.of(words(options)));
        var theirs = probed(engines.theirs, given.toArray(String[]::new));
        var ours = probed(engines.ours, words(options));
        Set<String> unexplained = differences(theirs, ours).stream()
                .filter(difference -> !isNew(difference))
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(Set.of(), unexplained);
    }

    /// The default profile is that of Docker 28; dockerd 20.10 has an older one.
    @Test void whatTheDefaultProfileAllowsMoreAndLessThanTheOneOfDockerd20Is() {
        var allowedSince = Map.of("x86-64", Set.of(303, 310, 311, 329, 330, 331), "x86", Set.of(341, 347, 348, 380, 381, 382));
        Set<Integer> forbiddenSince = Set.of(425, 426, 427); // io_uring
        Set<String> unexplained = new TreeSet<>();
        for (String difference : differences(probed(engines.theirs), probed(engines.ours))) {
            String architecture = difference.substring(0, difference.indexOf(' '));
            int number = number(difference);
            boolean allowed = allowedSince.getOrDefault(architecture, allowedSince.get("x86-64")).contains(number) && difference.contains(": -1 there");
            boolean forbidden = forbiddenSince.contains(number) && difference.endsWith(" -1 here");
            if (!allowed && !forbidden && !isNew(difference)) unexplained.add(difference);
        }
        assertEquals(Set.of(), unexplained);
    }

    @Test void aPrivilegedContainerIsNotFiltered() {
        var privileged = probed(engines.ours, "--privileged");
        assertEquals(Set.of(), differences(privileged, probed(engines.ours, "--cap-add", "ALL", "--security-opt", "seccomp=unconfined")));
        assertEquals("-38", privileged.get("x32 0"), "a kernel without x32 says so itself");
    }
}
