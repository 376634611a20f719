package io.balena.engine.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelFileTest {
    @TempDir
    Path folder;

    @Test
    void aNumberOfProcSysIsReadToItsEnd() throws Exception {
        // At least 301, the least the kernel accepts: a reader that stops after the first byte has another number.
        int most = Integer.parseInt(KernelFile.text(Path.of("/proc/sys/kernel/pid_max")).strip());
        assertTrue(most >= 301, "pid_max is " + most);
    }

    @Test
    void aFileLongerThanTheFirstReadIsReadWhole() throws Exception {
        for (int length : new int[] {0, 1, 4095, 4096, 4097, 8192, 100_000}) {
            Path file = Files.writeString(folder.resolve("file"), "x".repeat(length));
            assertEquals(length, KernelFile.bytes(file).length);
        }
    }

    @Test
    void aMissingFileIsSaidToBeMissing() {
        assertThrows(NoSuchFileException.class, () -> KernelFile.text(folder.resolve("missing")));
    }
}
