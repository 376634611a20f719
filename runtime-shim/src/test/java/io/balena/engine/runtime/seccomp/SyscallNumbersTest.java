package io.balena.engine.runtime.seccomp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SyscallNumbersTest {
    private static final Pattern DEFINITION = Pattern.compile("#define __NR_(\\w+)\\s+(?:\\(__X32_SYSCALL_BIT \\+ )?(\\d+)\\)?");

    @ParameterizedTest
    @CsvSource({"X86, unistd_32.h", "X86_64, unistd_64.h", "X32, unistd_x32.h"})
    void everyCallOfTheKernelsHeadersIsKnownByItsNumber(Architecture architecture, String header) throws Exception {
        Path file = Path.of("/usr/include/x86_64-linux-gnu/asm", header);
        assumeTrue(Files.exists(file), "needs linux-libc-dev for x86");
        var numbers = SyscallNumbers.load();
        int bit = architecture == Architecture.X32 ? Architecture.X32_BIT : 0;
        int compared = 0;
        for (String line : Files.readAllLines(file)) {
            var definition = DEFINITION.matcher(line);
            if (!definition.matches()) continue;
            String name = definition.group(1);
            assertEquals(Integer.parseInt(definition.group(2)) | bit, numbers.of(name, architecture), name);
            compared++;
        }
        assertTrue(compared > 300, "read " + compared + " numbers");
    }
}
