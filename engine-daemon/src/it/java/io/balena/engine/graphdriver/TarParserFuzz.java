package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/// Any bytes, as a tar: what the parser hands on is what it was given, however it is cut into pieces; where another reader of tars
/// takes them too, both find the same members.
public final class TarParserFuzz {
    private record Member(String path, boolean directory, long size) {}

    private TarParserFuzz() {}

    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        byte[] tar = FuzzedTar.of(input);
        List<Member> members;
        try {
            members = parse(tar, tar.length);
        } catch (InvalidLayerException e) {
            mustFail(tar);
            return;
        }
        if (!parse(tar, TarParser.RECORD).equals(members)) throw new IllegalStateException("pieces of another size gave other members");
        compareWithCommonsCompress(tar, members);
    }

    private static void mustFail(byte[] tar) throws IOException {
        try {
            parse(tar, TarParser.RECORD);
        } catch (InvalidLayerException e) {
            return;
        }
        throw new IllegalStateException("accepted in small pieces only");
    }

    private static List<Member> parse(byte[] tar, int step) throws IOException {
        var again = new ByteArrayOutputStream();
        var members = new ArrayList<Member>();
        var parser = new TarParser(new TarParser.Visitor() {
            private TarEntry entry;
            private long content;

            @Override
            public void raw(byte[] bytes, int from, int to) {
                again.write(bytes, from, to - from);
            }

            @Override
            public void entry(TarEntry next) {
                complete();
                entry = next;
                content = 0;
                members.add(new Member(new String(next.path, UTF_8), next.isDirectory(), next.size));
            }

            @Override
            public void content(byte[] bytes, int from, int to, long offset) {
                if (from >= to) throw new IllegalStateException("an empty piece");
                if (offset < 0 || offset + (to - from) > entry.size) throw new IllegalStateException("content outside of the file");
                content += to - from;
                complete();
                if (!entry.sparse) again.write(bytes, from, to - from);
            }

            private void complete() {
                if (entry != null && content > entry.stored) throw new IllegalStateException("more content than announced");
            }
        });
        for (int at = 0; at < tar.length; at += step) {
            byte[] piece = Arrays.copyOfRange(tar, at, Math.min(tar.length, at + step));
            parser.accept(piece, piece.length);
        }
        parser.finish();
        if (!Arrays.equals(tar, again.toByteArray())) throw new IllegalStateException("the pieces are not the tar");
        return members;
    }

    private static void compareWithCommonsCompress(byte[] tar, List<Member> members) throws IOException {
        var theirs = new ArrayList<Member>();
        try (var in = new TarArchiveInputStream(new ByteArrayInputStream(tar), "UTF-8")) {
            for (TarArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                boolean known = entry.isDirectory() || entry.isFile() && !entry.isSparse() && !entry.isLink();
                theirs.add(known ? new Member(path(entry.getName()), entry.isDirectory(), entry.isDirectory() ? 0 : entry.getSize()) : null);
            }
        } catch (IOException | RuntimeException e) {
            return; // it may be more particular
        }
        if (!isComparable(tar, theirs.size() == members.size())) return;
        for (int i = 0; i < members.size(); i++) {
            boolean comparable = theirs.get(i) != null && isAscii(members.get(i).path());
            if (comparable && !theirs.get(i).equals(members.get(i))) {
                throw new IllegalStateException("commons-compress finds " + theirs + ", this parser " + members);
            }
        }
    }

    /// The two differ by design about global headers, names given twice, and headers that tell several formats at once: only plain
    /// headers in a tar that has an end are compared.
    private static boolean isComparable(byte[] tar, boolean asMany) {
        for (int record = 0; record + TarParser.RECORD <= tar.length; record += TarParser.RECORD) {
            if ("xXgLKSD".indexOf(tar[record + 156]) >= 0) return false;
            // Zeros before digits mean nothing to Docker, and the number zero to others; nor has a link or a folder content.
            byte size = tar[record + 124];
            if (tar[record] != 0 && (size < '0' || size > '7')) return false;
            boolean regular = tar[record + 156] == '0' || tar[record + 156] == 0;
            if (!regular && !new String(tar, record + 124, 12, ISO_8859_1).matches("0*\\x00?")) return false;
            // The oldest headers have no prefix; others take what is in its place for one.
            if (tar[record] != 0 && tar[record + 257] == 0 && tar[record + 345] != 0) return false;
            if (tar[record + 257] != 0 && !new HeaderRecord(tar, record).isUstar() || tar[record + 508] != 0) return false;
        }
        return asMany;
    }

    private static boolean isAscii(String name) {
        return name.chars().allMatch(c -> c < 128);
    }

    private static String path(String name) {
        return new String(TarPath.clean(name.getBytes(UTF_8)), UTF_8);
    }
}
