package io.balena.engine.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The machine code says what the assembly beside it says.
class TrampolineTest {
    @TempDir
    Path folder;

    @Test
    void theX86CodeIsWhatItsCommentsSay() throws Exception {
        compareWithSource("x86_64", "objdump", List.of("-b", "binary", "-m", "i386:x86-64", "-M", "intel"), Trampoline.x86_64());
    }

    @Test
    void theAarch64CodeIsWhatItsCommentsSay() throws Exception {
        compareWithSource("aarch64", "aarch64-linux-gnu-objdump", List.of("-b", "binary", "-m", "aarch64"), Trampoline.aarch64());
    }

    /// Compares the mnemonics objdump finds with those in the comments of `Trampoline.java`, one by one.
    private void compareWithSource(String method, String objdump, List<String> options, Trampoline.Code code) throws Exception {
        assumeTrue(isInstalled(objdump), "needs " + objdump);
        Path source = Path.of("src/main/java/io/balena/engine/linux/Trampoline.java");
        assumeTrue(Files.exists(source), "needs the sources");
        List<String> written = new ArrayList<>();
        boolean inside = false;
        for (String line : Files.readAllLines(source)) {
            if (line.contains("static Code ")) inside = line.contains(" " + method + "(");
            int comment = line.indexOf("// ");
            if (!inside || comment < 0 || line.strip().startsWith("//")) continue;
            String[] words = line.substring(comment + 3).strip().split("\\s+");
            written.add(words[0].endsWith(":") ? words[1] : words[0]);
        }
        Path binary = Files.write(folder.resolve("code"), code.assembled());
        List<String> command = new ArrayList<>(List.of(objdump, "-D"));
        command.addAll(options);
        command.add(binary.toString());
        List<String> found = new ArrayList<>();
        for (String line : run(command).split("\n")) {
            String[] columns = line.split("\t");
            if (columns.length >= 3) found.add(columns[2].strip().split("\\s+")[0].replaceFirst("^je$", "jz").replaceFirst("^jne$", "jnz"));
        }
        assertEquals(written, found);
    }

    @Test
    void theAarch64CodeExecutesATable() throws Exception {
        assumeTrue(isInstalled("qemu-aarch64"), "needs qemu-aarch64");
        // write(1, "ran\n", 4) succeeds; close(-1) fails and jumps over an exit(9) to exit(5).
        var table = new Table();
        long text = table.address(5);
        table.row(64, 0, 0, 1, text, 4);
        table.row(57, 0, table.address(3), -1, 0, 0);
        table.row(94, 0, 0, 9, 0, 0);
        table.row(94, 0, 0, 5, 0, 0);
        table.row(-1, 0, 0, 0, 0, 0);
        table.bytes.write("ran\n".getBytes(StandardCharsets.US_ASCII));
        assertEquals("ran\nexit 5", qemu(table));
    }

    @Test
    void theAarch64CodeEndsWhereARowFails() throws Exception {
        assumeTrue(isInstalled("qemu-aarch64"), "needs qemu-aarch64");
        var table = new Table();
        table.row(57, 0, 0, -1, 0, 0);
        assertEquals("exit 127", qemu(table));
    }

    @Test
    void theAarch64CodeMakesAChildThatExecutesTheTable() throws Exception {
        assumeTrue(isInstalled("qemu-aarch64"), "needs qemu-aarch64");
        var table = new Table();
        table.row(57, 0, 0, -1, 0, 0);
        // qemu's user mode answers clone3 with ENOSYS, which spawn must hand back after restoring the mask.
        assertEquals("exit " + (-38 & 0xff), qemuSpawn(table));
    }

    /// A table as it lies in memory, at a fixed address.
    private static final class Table {
        static final long BASE = 0x600000;

        final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        Table() {
            words(0, -1, 0);
        }

        /// Of row `row`, or of what follows that many rows.
        long address(int row) {
            return BASE + Trampoline.ROWS + (long) row * Trampoline.ROW_BYTES;
        }

        void row(long number, long least, long ifFailed, long... arguments) {
            long[] words = new long[10];
            words[0] = number;
            System.arraycopy(arguments, 0, words, 1, arguments.length);
            words[8] = least;
            words[9] = ifFailed;
            words(words);
        }

        void words(long... words) {
            var buffer = ByteBuffer.allocate(words.length * 8).order(ByteOrder.LITTLE_ENDIAN);
            for (long word : words) buffer.putLong(word);
            bytes.writeBytes(buffer.array());
        }
    }

    private String qemu(Table table) throws Exception {
        // mov x0, #0x600000; bl run; then exit(0)
        return qemu(table, new int[] {0xd2a00c00, 0x94000003, 0xd2800000, 0x14000001}, Trampoline.aarch64().run());
    }

    private String qemuSpawn(Table table) throws Exception {
        // mov x0, x1 (null); mov x1, #0x600000; bl spawn; exit(result)
        return qemu(table, new int[] {0xd2800000, 0xd2a00c01, 0x94000003, 0x14000001}, 0);
    }

    /// Wraps code and table into a static executable: `start`, an exit, then the trampoline.
    private String qemu(Table table, int[] start, int entry) throws Exception {
        byte[] trampoline = Trampoline.aarch64().assembled();
        int[] exit = {0xd2800bc8, 0xd4000001}; // mov x8, #94; svc #0
        int at = (start.length + exit.length) * 4;
        var code = ByteBuffer.allocate(at + trampoline.length).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < start.length; i++) {
            int instruction = start[i];
            if (instruction >>> 26 == 0x25) instruction = 0x94000000 | (at + entry) / 4 - i;
            if (instruction >>> 26 == 0x05) instruction = 0x14000000 | start.length - i;
            code.putInt(instruction);
        }
        for (int instruction : exit) code.putInt(instruction);
        code.put(trampoline);
        byte[] data = table.bytes.toByteArray();
        int codeOffset = 0x1000;
        int dataOffset = 0x2000;
        var elf = ByteBuffer.allocate(dataOffset + data.length).order(ByteOrder.LITTLE_ENDIAN);
        elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0});
        elf.putShort((short) 2).putShort((short) 183).putInt(1).putLong(0x400000).putLong(64).putLong(0).putInt(0);
        elf.putShort((short) 64).putShort((short) 56).putShort((short) 2).putShort((short) 0).putShort((short) 0).putShort((short) 0);
        segment(elf, 5, codeOffset, 0x400000, code.capacity());
        segment(elf, 6, dataOffset, Table.BASE, data.length);
        elf.position(codeOffset).put(code.array());
        elf.position(dataOffset).put(data);
        Path program = Files.write(folder.resolve("program"), elf.array());
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        var process = new ProcessBuilder("qemu-aarch64", program.toString()).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        return output + "exit " + process.waitFor();
    }

    private static void segment(ByteBuffer elf, int flags, long offset, long address, long size) {
        elf.putInt(1).putInt(flags).putLong(offset).putLong(address).putLong(address).putLong(size).putLong(size).putLong(0x1000);
    }

    private static boolean isInstalled(String program) {
        for (String entry : System.getenv("PATH").split(":")) {
            if (Files.isExecutable(Path.of(entry, program))) return true;
        }
        return false;
    }

    private static String run(List<String> command) throws IOException {
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
}
