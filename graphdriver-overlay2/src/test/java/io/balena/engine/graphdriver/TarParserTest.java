package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TarParserTest {
    @Test
    void rawBytesAndContentTogetherAreTheTarHoweverItIsCut() throws IOException {
        byte[] tar = new TarBuilder().pax("path=" + "long/".repeat(40) + "name", "SCHILY.xattr.user.a=b").file("x", "y".repeat(1300))
                .folder("d/").symlink("d/s", "x").file("empty", "").raw(new byte[1024]).raw(new byte[512]).unended();
        for (int step : new int[] {512, 1024, 2048, 8192}) {
            var seen = new Seen();
            var parser = new TarParser(seen);
            for (int at = 0; at < tar.length; at += step) {
                byte[] piece = Arrays.copyOfRange(tar, at, Math.min(tar.length, at + step));
                parser.accept(piece, piece.length);
            }
            parser.finish();
            assertArrayEquals(tar, seen.all.toByteArray());
            assertEquals(List.of("long/".repeat(40) + "name", "d", "d/s", "empty"), seen.paths());
        }
    }

    @Test
    void paxOverridesTheHeader() throws IOException {
        TarEntry e = only(new TarBuilder().pax("path=b", "mtime=1234567890.123456789", "atime=-1.25", "uid=4000000000", "gid=7",
                "SCHILY.xattr.security.capability=\u0001\u0000=\n").file("a", "xyz"));
        assertEquals("b", text(e.path));
        assertEquals(1234567890, e.mtimeSeconds);
        assertEquals(123456789, e.mtimeNanos);
        assertEquals(-2, e.atimeSeconds);
        assertEquals(750000000, e.atimeNanos);
        assertEquals(4000000000L, e.uid & 0xffffffffL);
        assertEquals(7, e.gid);
        assertArrayEquals("\u0001\u0000=\n".getBytes(ISO_8859_1), e.xattrs.get("security.capability"));
    }

    @Test
    void aGlobalHeaderIsIgnoredAsDockerDoes() throws IOException {
        TarEntry e = only(new TarBuilder().member("g", 'g', "", "10 path=b\n".getBytes(US_ASCII), h -> {}).file("a", ""));
        assertEquals("a", text(e.path));
    }

    @Test
    void gnuLongNamesAndBase256Numbers() throws IOException {
        String name = "n".repeat(150);
        TarEntry e = only(new TarBuilder().member("././@LongLink", 'L', "", (name + "\0").getBytes(US_ASCII), h -> {})
                .member("././@LongLink", 'K', "", "target\0".getBytes(US_ASCII), h -> {})
                .member("short", '2', "t", new byte[0], h -> {
                    Arrays.fill(h, 108, 116, (byte) 0);
                    h[108] = (byte) 0x80;
                    h[112] = 0x3b;
                    h[115] = 1;
                    Arrays.fill(h, 136, 148, (byte) 0xff);
                }));
        assertEquals(name, text(e.path));
        assertEquals("target", text(e.linkName));
        assertEquals(0x3b000001, e.uid);
        assertEquals(-1, e.mtimeSeconds);
    }

    @Test
    void namesAreMadeRelativeToTheRoot() {
        assertEquals("a/b", text(TarPath.clean("./a//b/".getBytes(UTF_8))));
        assertEquals("b", text(TarPath.clean("/a/../../b".getBytes(UTF_8))));
        assertEquals("", text(TarPath.clean("..".getBytes(UTF_8))));
        assertEquals("...", text(TarPath.clean("/.../.".getBytes(UTF_8))));
        assertEquals(".wh.a", text(TarPath.clean(".wh.a".getBytes(UTF_8))));
    }

    @Test
    void noDamageToATarBreaksTheParser() {
        byte[] tar = new TarBuilder().pax("path=" + "p".repeat(120), "GNU.sparse.map=0,1,10,2", "GNU.sparse.size=20").file("x", "abc")
                .member("././@LongLink", 'L', "", "longname\0".getBytes(US_ASCII), h -> {}).file("y", "z".repeat(600)).bytes();
        var random = new Random(11);
        for (int round = 0; round < 20_000; round++) {
            byte[] damaged = tar.clone();
            for (int i = random.nextInt(4); i >= 0; i--) damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
            if (random.nextBoolean()) repairChecksums(damaged);
            int length = random.nextInt(10) == 0 ? random.nextInt(damaged.length) : damaged.length;
            try {
                var parser = new TarParser(new Seen());
                parser.accept(damaged, length);
                parser.finish();
            } catch (InvalidLayerException e) {
                // as it should
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
    }

    @Test
    void aHashSetOfNamesKnowsWhatItHasSeen() {
        var names = new NameSet();
        for (int i = 0; i < 100_000; i++) assertTrue(names.add(("usr/share/doc/" + i).getBytes(US_ASCII)));
        for (int i = 0; i < 100_000; i += 7) assertFalse(names.add(("usr/share/doc/" + i).getBytes(US_ASCII)));
        assertTrue(names.add(new byte[0]));
        assertFalse(names.add(new byte[0]));
    }

    private static void repairChecksums(byte[] tar) {
        for (int at = 0; at + 512 <= tar.length; at += 512) {
            if (tar[at + 257] != 'u') continue;
            TarBuilder.put(tar, at + 148, "        ");
            int sum = 0;
            for (int i = 0; i < 512; i++) sum += tar[at + i] & 0xff;
            TarBuilder.put(tar, at + 148, String.format("%06o\0 ", sum));
        }
    }

    private static TarEntry only(TarBuilder tar) throws IOException {
        var seen = new Seen();
        byte[] bytes = tar.bytes();
        new TarParser(seen).accept(bytes, bytes.length);
        assertEquals(1, seen.entries.size());
        return seen.entries.getFirst();
    }

    private static String text(byte[] bytes) {
        return new String(bytes, UTF_8);
    }

    private static final class Seen implements TarParser.Visitor {
        final ByteArrayOutputStream all = new ByteArrayOutputStream();
        final List<TarEntry> entries = new ArrayList<>();

        List<String> paths() {
            return entries.stream().map(e -> text(e.path)).toList();
        }

        @Override
        public void raw(byte[] bytes, int from, int to) {
            all.write(bytes, from, to - from);
        }

        @Override
        public void entry(TarEntry entry) {
            entries.add(entry);
        }

        @Override
        public void content(byte[] bytes, int from, int to, long offset) {
            if (!entries.getLast().sparse) all.write(bytes, from, to - from);
        }
    }
}
