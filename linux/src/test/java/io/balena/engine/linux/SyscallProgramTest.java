package io.balena.engine.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class SyscallProgramTest {
    private static final long AT_FDCWD = -100;
    private static final long O_WRONLY_CREAT = 0101;

    @TempDir
    Path folder;

    @Test
    void itRunsInThisProcessAtOneStroke() throws Exception {
        Path one = folder.resolve("one");
        try (var program = new SyscallProgram()) {
            int row = program.add(Syscall.MKDIRAT, "mkdir", one, AT_FDCWD, program.text(one.toString()), 0700);
            program.run();
            assertEquals(0, program.result(row));
        }
        assertTrue(Files.isDirectory(one));
    }

    @Test
    void aFailureNamesTheRowAndStopsTheProgram() throws Exception {
        Path missing = folder.resolve("missing/one");
        Path never = folder.resolve("never");
        try (var program = new SyscallProgram()) {
            program.add(Syscall.GETPID, "ask", null);
            program.add(Syscall.MKDIRAT, "mkdir", missing, AT_FDCWD, program.text(missing.toString()), 0700);
            program.add(Syscall.MKDIRAT, "mkdir", never, AT_FDCWD, program.text(never.toString()), 0700);
            var failure = assertThrows(ErrnoException.class, program::run);
            assertEquals("mkdir " + missing + ": No such file or directory (ENOENT)", failure.getMessage());
            assertEquals(Errno.ENOENT, failure.errno());
        }
        assertFalse(Files.exists(never));
    }

    @Test
    void aRowMayFailOrLeadElsewhere() throws Exception {
        Path skipped = folder.resolve("skipped");
        Path reached = folder.resolve("reached");
        try (var program = new SyscallProgram()) {
            program.mayFail(program.add(Syscall.CLOSE, "close", null, -1));
            int fails = program.add(Syscall.CLOSE, "close", null, -1);
            program.add(Syscall.MKDIRAT, "mkdir", skipped, AT_FDCWD, program.text(skipped.toString()), 0700);
            int over = program.addJump();
            program.onFailure(fails, program.next());
            program.add(Syscall.MKDIRAT, "mkdir", reached, AT_FDCWD, program.text(reached.toString()), 0700);
            program.onFailure(over, program.next());
            program.run();
        }
        assertFalse(Files.exists(skipped));
        assertTrue(Files.isDirectory(reached));
    }

    @Test
    void aChildExecutesItAndBecomesAProgram() throws Exception {
        try (var program = new SyscallProgram()) {
            program.add(
                    Syscall.EXECVE,
                    "exec",
                    "/bin/sh",
                    program.text("/bin/sh"),
                    program.texts(List.of("sh", "-c", "exit $CODE")),
                    program.texts(List.of("CODE=42")));
            try (var child = program.spawn(0)) {
                assertEquals(42, child.awaitEnd());
            }
        }
    }

    @Test
    void aChildThatCannotExecuteTellsWhy() throws Exception {
        try (var program = new SyscallProgram()) {
            program.add(Syscall.EXECVE, "exec", "/nothing", program.text("/nothing"), program.texts(List.of("x")), program.words(0));
            try (var child = program.spawn(0)) {
                assertEquals(127, child.awaitEnd());
            }
            assertEquals("exec /nothing: No such file or directory (ENOENT)", program.failure().getMessage());
        }
    }

    @Test
    void aChildHasDefaultSignalHandling() throws Exception {
        Path status = folder.resolve("status");
        try (var program = new SyscallProgram()) {
            program.add(Syscall.OPENAT, "open", status, AT_FDCWD, program.text(status.toString()), O_WRONLY_CREAT, 0600);
            int fd = program.next() - 1;
            // The lowest free descriptor is not known here, but after this all others are closed.
            program.add(Syscall.CLOSE_RANGE, "close_range", null, 3, 0xFFFFFFFFL, 0);
            program.add(Syscall.OPENAT, "open", status, AT_FDCWD, program.text(status.toString()), O_WRONLY_CREAT, 0600);
            program.add(Syscall.DUP3, "dup3", null, 3, 1, 0);
            program.add(Syscall.RT_SIGPROCMASK, "unblock", null, 2, program.space(8), 0, 8);
            program.add(
                    Syscall.EXECVE,
                    "exec",
                    "/bin/cat",
                    program.text("/bin/cat"),
                    program.texts(List.of("cat", "/proc/self/status")),
                    program.words(0));
            try (var child = program.spawn(0)) {
                assertEquals(0, child.awaitEnd(), program::toString);
            }
            assertTrue(program.result(fd) >= 0);
        }
        String text = Files.readString(status);
        assertTrue(text.contains("SigBlk:\t0000000000000000"), text);
        assertTrue(text.contains("SigCgt:\t0000000000000000"), text);
    }

    @Test
    void aChildWaitsAtTheGateAndItsRowsCanBeChangedMeanwhile() throws Exception {
        try (var program = new SyscallProgram(); var gate = Gate.open(3)) {
            int number = gate.childsEnd().number();
            program.add(Syscall.WRITE, "report", null, number, program.bytes(new byte[1]), 1);
            program.atLeast(program.add(Syscall.READ, "wait", null, number, program.space(8), 1), 1);
            int exit = program.add(Syscall.EXIT_GROUP, "exit", null, 1);
            try (var child = program.spawn(0)) {
                gate.closeChildsEnd();
                assertTrue(gate.awaitReport());
                program.argument(exit, 0, 23);
                gate.pass();
                assertFalse(gate.awaitReport());
                assertEquals(23, child.awaitEnd());
            }
        }
    }

    @Test
    void aChildAtTheGateEndsWithItsParent() throws Exception {
        try (var program = new SyscallProgram()) {
            PidFd child;
            try (var gate = Gate.open(3)) {
                int number = gate.childsEnd().number();
                // As the runtime does: another's copy of our end must not keep the child waiting.
                program.add(Syscall.DUP3, "dup3", "gate", number, 1000, 0);
                program.add(Syscall.CLOSE_RANGE, "close_range", null, 3, 999, 0);
                program.atLeast(program.add(Syscall.READ, "wait", null, 1000, program.space(8), 1), 1);
                program.add(Syscall.EXIT_GROUP, "exit", null, 1);
                child = program.spawn(0);
            }
            try (child) {
                assertEquals(127, child.awaitEnd());
            }
            assertEquals(0, program.result(2));
        }
    }

    @Test
    void textWithAZeroByteIsRefused() {
        try (var program = new SyscallProgram()) {
            assertThrows(IllegalArgumentException.class, () -> program.text("a\0b"));
        }
    }

    @Test
    void moreArgumentsThanTheKernelTakesAreRefused() {
        try (var program = new SyscallProgram()) {
            String big = "x".repeat(1 << 20);
            assertThrows(IllegalArgumentException.class, () -> program.texts(List.of(big, big, big, big, big)));
        }
    }

    @Test
    void theStartOfAProcessIsReadWhateverItsName() {
        byte[] stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 9999 20 21".getBytes();
        assertEquals(9999, ProcessId.startTicks(stat));
    }
}
