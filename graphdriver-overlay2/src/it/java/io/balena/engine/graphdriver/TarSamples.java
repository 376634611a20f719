package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/// Tars of every kind, by name: what archivers write, and what only hand-made ones have.
final class TarSamples {
    private static final String CAPABILITY = "\u0001\u0000\u0000\u0002\u0000\u0004\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000";
    private static final Consumer<byte[]> PLAIN = h -> {};

    private final Map<String, byte[]> tars = new LinkedHashMap<>();

    /// @param scratch where archivers may work
    static Map<String, byte[]> all(Path scratch) throws IOException {
        var samples = new TarSamples();
        samples.pax();
        samples.gnu();
        samples.otherFormats();
        samples.links();
        samples.whiteouts();
        samples.modesAndOwners();
        samples.names();
        samples.times();
        samples.order();
        samples.ends();
        samples.archivers(scratch);
        return samples.tars;
    }

    private void add(String name, TarBuilder tar) {
        add(name, tar.bytes());
    }

    private void add(String name, byte[] tar) {
        if (tars.put(name, tar) != null) throw new IllegalArgumentException("two samples named " + name);
    }

    private static TarBuilder tar() {
        return new TarBuilder();
    }

    private void pax() {
        add("pax global header", tar().member("g", 'g', "", "10 path=b\n13 uid=12345\n".getBytes(ISO_8859_1), PLAIN).file("a", "x").file("c", "y"));
        add("pax path", tar().pax("path=" + "long/".repeat(40) + "name").file("short", "x"));
        add("pax linkpath", tar().pax("linkpath=" + "target/".repeat(40)).symlink("s", "short"));
        add("pax owner", tar().pax("uid=4000000000", "gid=4294967294").file("a", "x").pax("uid=70000", "gid=70000").folder("d"));
        add("pax owner out of range", tar().pax("uid=4294967296").file("a", "x"));
        add("pax owner negative", tar().pax("uid=-1").file("a", "x"));
        add("pax size", tar().pax("size=3").member("a", '0', "", "abc".getBytes(ISO_8859_1), h -> TarBuilder.put(h, 124, "00000000000")));
        add("pax size negative", tar().pax("size=-3").file("a", "x"));
        add("pax size of a folder", tar().pax("size=600").folder("d").file("a", "x"));
        add("pax times", tar().pax("mtime=1234567890.123456789", "atime=1300000000.5", "ctime=1.1").file("a", "x")
                .pax("mtime=1234567890.987654321").folder("d").pax("mtime=1234567890.5").symlink("s", "a"));
        add("pax time with many digits", tar().pax("mtime=1234567890.1234567899999").file("a", "x"));
        add("pax time with a point and no digits", tar().pax("mtime=1234567890.").file("a", "x"));
        add("pax time that is none", tar().pax("mtime=12x").file("a", "x"));
        add("pax xattrs", tar().pax("SCHILY.xattr.user.text=some value", "SCHILY.xattr.user.binary=\u0000\n=\u00ff", "SCHILY.xattr.user.empty=").file("a", "x")
                .pax("SCHILY.xattr.user.folder=f").folder("d").pax("SCHILY.xattr.trusted.link=l").symlink("s", "a"));
        add("pax xattrs on a device", tar().pax("SCHILY.xattr.trusted.dev=v").device("null", 1, 3));
        add("pax xattr in a name space that nobody knows", tar().pax("SCHILY.xattr.com.apple.quarantine=q").file("a", "x"));
        add("pax xattr user on a symlink", tar().pax("SCHILY.xattr.user.a=q").symlink("s", "x"));
        add("pax xattr that is too big", tar().pax("SCHILY.xattr.user.a=" + "v".repeat(70_000)).file("a", "x"));
        add("pax xattr without a name", tar().pax("SCHILY.xattr.=v").file("a", "x"));
        add("pax xattr of overlay", tar().pax("SCHILY.xattr.trusted.overlay.redirect=/x").folder("d"));
        add("pax capability", tar().pax("SCHILY.xattr.security.capability=" + CAPABILITY).file("ping", "x"));
        add("pax capability of a foreign owner", tar().pax("uid=1000", "SCHILY.xattr.security.capability=" + CAPABILITY).file("ping", "x"));
        add("pax capability that is garbage", tar().pax("SCHILY.xattr.security.capability=x").file("ping", "x"));
        add("pax acl", tar().pax("SCHILY.acl.access=user::rw-", "SCHILY.fflags=nodump", "LIBARCHIVE.creationtime=1.5",
                "LIBARCHIVE.xattr.user.a=eA==", "comment=none", "hdrcharset=BINARY").file("a", "x"));
        add("pax records taken back", tar().pax("path=", "mtime=", "uid=").file("a", "x"));
        add("pax twice", tar().pax("path=first").pax("mtime=1").file("a", "x"));
        add("pax record without an end of line", tar().member("x", 'x', "", "9 path=ab".getBytes(ISO_8859_1), PLAIN).file("a", "x"));
        add("pax record with a zero length", tar().member("x", 'x', "", "0 path=ab\n".getBytes(ISO_8859_1), PLAIN).file("a", "x"));
        add("pax record with a sign", tar().member("x", 'x', "", "+11 path=ab\n".getBytes(ISO_8859_1), PLAIN).file("a", "x"));
        add("pax record without a key", tar().member("x", 'x', "", "6 =ab\n".getBytes(ISO_8859_1), PLAIN).file("a", "x"));
        add("pax path with a zero", tar().pax("path=a\u0000b").file("a", "x"));
        add("pax empty", tar().member("x", 'x', "", new byte[0], PLAIN).file("a", "x"));
        add("pax at the end", tar().file("a", "x").pax("path=b"));
        add("pax before a global header", tar().pax("path=b").member("g", 'g', "", "10 path=c\n".getBytes(ISO_8859_1), PLAIN).file("a", "x"));
        add("pax sparse 0.1", tar().pax("GNU.sparse.size=2000000", "GNU.sparse.numblocks=2", "GNU.sparse.map=0,1,1000000,2").file("a", "xyz"));
        add("pax sparse 0.0", tar().pax("GNU.sparse.size=2000000", "GNU.sparse.numblocks=2", "GNU.sparse.offset=0", "GNU.sparse.numbytes=1",
                "GNU.sparse.offset=1000000", "GNU.sparse.numbytes=2").file("a", "xyz"));
        add("pax sparse 1.0", tar().pax("GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=real", "GNU.sparse.realsize=2000000")
                .file("GNUSparseFile.0/a", "2\n0\n1\n1000000\n2\n" + "\0".repeat(512 - 16) + "xyz"));
        add("pax sparse without any part", tar().pax("GNU.sparse.size=100000", "GNU.sparse.map=").file("a", ""));
    }

    private void gnu() {
        add("gnu long name and link", tar().member("././@LongLink", 'L', "", ("n/".repeat(80) + "n\0").getBytes(ISO_8859_1), PLAIN)
                .member("././@LongLink", 'K', "", ("t".repeat(150) + "\0").getBytes(ISO_8859_1), PLAIN).symlink("short", "short"));
        add("gnu long name and pax path", tar().member("././@LongLink", 'L', "", "fromgnu\0".getBytes(ISO_8859_1), PLAIN).pax("path=frompax").file("a", "x"));
        add("gnu long name twice", tar().member("././@LongLink", 'L', "", "one\0".getBytes(ISO_8859_1), PLAIN)
                .member("././@LongLink", 'L', "", "two\0".getBytes(ISO_8859_1), PLAIN).file("a", "x"));
        add("gnu long name that is empty", tar().member("././@LongLink", 'L', "", "\0".getBytes(ISO_8859_1), PLAIN).file("a", "x"));
        add("gnu long name at the end", tar().file("a", "x").member("././@LongLink", 'L', "", "b\0".getBytes(ISO_8859_1), PLAIN));
        add("gnu base 256 owner and times", tar().member("a", '0', "", new byte[0], h -> {
            gnuMagic(h);
            base256(h, 108, 8, 4_000_000_000L);
            base256(h, 116, 8, 3_000_000_000L);
            base256(h, 136, 12, 20_000_000_000L);
        }));
        add("gnu base 256 owner out of range", tar().member("a", '0', "", new byte[0], h -> base256(h, 108, 8, 1L << 40)));
        add("gnu base 256 time before 1970", tar().member("a", '0', "", new byte[0], h -> base256(h, 136, 12, -1000)));
        add("gnu base 256 size", tar().member("a", '0', "", "abc".getBytes(ISO_8859_1), h -> base256(h, 124, 12, 3)));
        add("gnu base 256 device", tar().member("a", '3', "", new byte[0], h -> {
            gnuMagic(h);
            base256(h, 329, 8, 4000);
            base256(h, 337, 8, 1_000_000);
        }));
        add("gnu prefix as old Go wrote it", tar().member("name", '0', "", "x".getBytes(ISO_8859_1), h -> {
            gnuMagic(h);
            TarBuilder.put(h, 345, "some/folder");
        }));
        add("gnu times in the header", tar().member("name", '0', "", "x".getBytes(ISO_8859_1), h -> {
            gnuMagic(h);
            TarBuilder.put(h, 345, "14712345670\00014712345671\0");
        }));
        add("gnu volume label", tar().member("label", 'V', "", new byte[0], PLAIN).file("a", "x"));
        add("gnu continued file", tar().member("a", 'M', "", "x".getBytes(ISO_8859_1), PLAIN));
        add("gnu dump folder", tar().member("d/", 'D', "", "Ya\0\0".getBytes(ISO_8859_1), PLAIN).file("d/a", "x"));
        add("gnu sparse with a map that goes on", sparse(30));
        add("gnu sparse in an archive that is not gnu", tar().member("a", 'S', "", "x".getBytes(ISO_8859_1), PLAIN));
    }

    private void otherFormats() {
        add("v7", tar().member("a", '0', "", "x".getBytes(ISO_8859_1), h -> Arrays.fill(h, 257, 265, (byte) 0))
                .member("d/", '\0', "", new byte[0], h -> Arrays.fill(h, 257, 265, (byte) 0))
                .member("b", '\0', "", "y".getBytes(ISO_8859_1), h -> Arrays.fill(h, 257, 265, (byte) 0)));
        add("v7 device numbers are not looked at", tar().member("n", '3', "", new byte[0], h -> {
            Arrays.fill(h, 257, 265, (byte) 0);
            TarBuilder.put(h, 329, "0000001\0000000003");
        }));
        add("ustar prefix", tar().member("name", '0', "", "x".getBytes(ISO_8859_1), h -> TarBuilder.put(h, 345, "p".repeat(155))));
        add("ustar full name", tar().member("n".repeat(100), '0', "", "x".getBytes(ISO_8859_1), PLAIN));
        add("star prefix", tar().member("name", '0', "", "x".getBytes(ISO_8859_1), h -> {
            TarBuilder.put(h, 345, "prefix");
            TarBuilder.put(h, 476, "14712345670 14712345670 ");
            TarBuilder.put(h, 508, "tar\0");
        }));
        add("contiguous file", tar().member("a", '7', "", "x".getBytes(ISO_8859_1), PLAIN));
        add("solaris header", tar().member("a", 'X', "", "x".getBytes(ISO_8859_1), PLAIN));
        add("type zero with a slash", tar().member("d/", '\0', "", new byte[0], PLAIN).member("e/", '0', "", new byte[0], PLAIN));
        add("numbers padded with blanks", tar().member("a", '0', "", "x".getBytes(ISO_8859_1), h -> {
            TarBuilder.put(h, 100, "   644 \0");
            TarBuilder.put(h, 108, "  1750 \0");
            TarBuilder.put(h, 124, "          1 ");
        }));
        add("numbers that are empty", tar().member("a", '0', "", new byte[0], h -> {
            Arrays.fill(h, 100, 124, (byte) 0);
            Arrays.fill(h, 136, 148, (byte) 0);
        }));
        add("signed checksum", signedChecksum());
    }

    private void links() {
        add("hard link", tar().file("a", "x").hardLink("b", "a").folder("d").hardLink("d/c", "b"));
        add("hard link with other attributes", tar().file("a", "x").pax("mtime=1.5", "uid=5", "SCHILY.xattr.user.a=b")
                .member("b", '1', "a", new byte[0], h -> TarBuilder.put(h, 100, "0000777")));
        add("hard link with a size", tar().file("a", "x").member("b", '1', "a", new byte[0], h -> TarBuilder.put(h, 124, "00000000001")));
        add("hard link by other spellings", tar().file("d/a", "x").hardLink("b", "./d/a").hardLink("c", "/d/a").hardLink("e", "d/../d/a"));
        add("hard link above the root", tar().file("d/a", "x").hardLink("b", "../d/a"));
        add("hard link to a symlink", tar().symlink("s", "nowhere").hardLink("h", "s"));
        add("hard link to a device", tar().device("n", 1, 3).hardLink("m", "n"));
        add("hard link through a symlink", tar().folder("d").file("d/a", "x").symlink("s", "d").hardLink("h", "s/a"));
        add("hard link to what comes later", tar().hardLink("b", "a").file("a", "x"));
        add("hard link to nothing", tar().hardLink("b", "a"));
        add("hard link to a folder", tar().folder("d").hardLink("h", "d"));
        add("hard link and whiteout of its target", tar().file("a", "x").hardLink("b", "a").file(".wh.c", ""));
        add("symlink to above", tar().symlink("s", "../../../etc/passwd"));
        add("symlink to absolute", tar().symlink("s", "/etc/passwd"));
        add("symlink empty", tar().symlink("s", ""));
        add("file through a symlink", tar().folder("d").symlink("s", "d").file("s/f", "x"));
        add("file through an absolute symlink", tar().folder("d").symlink("s", "/d").file("s/f", "x"));
        add("file through a dangling symlink", tar().symlink("s", "d").file("s/f", "x"));
    }

    private void whiteouts() {
        add("whiteout", tar().file(".wh.a", "").folder("d").file("d/.wh.b", ""));
        add("whiteout with owner and mode", tar().member(".wh.a", '0', "", new byte[0], h -> {
            TarBuilder.put(h, 100, "0000755");
            TarBuilder.put(h, 108, "0001750");
        }));
        add("whiteout with xattrs", tar().pax("SCHILY.xattr.user.a=b").file(".wh.a", ""));
        add("whiteout in a folder that is not listed", tar().file("d/e/.wh.a", ""));
        add("whiteout that is a folder", tar().folder(".wh.d"));
        add("whiteout that is a hard link", tar().file("x", "x").hardLink(".wh.h", "x"));
        add("whiteout with content", tar().file(".wh.a", "x"));
        add("whiteout twice by two spellings", tar().file(".wh.a", "").file("./.wh.a", ""));
        add("whiteout of what the layer has", tar().file("a", "x").file(".wh.a", ""));
        add("whiteout before what the layer has", tar().file(".wh.a", "").file("a", "x"));
        add("whiteout before a folder", tar().file(".wh.a", "").folder("a").file("a/x", "x"));
        add("whiteout before files in an unlisted folder", tar().file(".wh.a", "").file("a/x", "x"));
        add("whiteout of a whiteout", tar().file(".wh..wh.a", ""));
        add("whiteout of nothing", tar().file(".wh.", ""));
        add("opaque first", tar().folder("d").file("d/.wh..wh..opq", "").file("d/a", "x"));
        add("opaque last", tar().folder("d").file("d/a", "x").file("d/.wh..wh..opq", ""));
        add("opaque before its folder", tar().file("d/.wh..wh..opq", "").folder("d").file("d/a", "x"));
        add("opaque of the root", tar().file(".wh..wh..opq", "").file("a", "x"));
        add("opaque that is a folder", tar().folder("d").folder("d/.wh..wh..opq"));
        add("aufs leftovers", tar().folder(".wh..wh.plnk").file(".wh..wh.plnk/1.2", "x").file(".wh..wh.aufs", "").folder(".wh..wh.orph").file("a", "x"));
        add("aufs pseudo link", tar().folder(".wh..wh.plnk").file(".wh..wh.plnk/1.2", "x").hardLink("a", ".wh..wh.plnk/1.2"));
        add("device 0 0", tar().device("a", 0, 0));
    }

    private void modesAndOwners() {
        add("modes", tar().member("suid", '0', "", "x".getBytes(ISO_8859_1), mode("0004755")).member("sgid", '0', "", new byte[0], mode("0002711"))
                .member("none", '0', "", "x".getBytes(ISO_8859_1), mode("0000000")).member("sticky/", '5', "", new byte[0], mode("0001777"))
                .member("setgid/", '5', "", new byte[0], mode("0002750")).file("setgid/a", "x").folder("setgid/d")
                .member("locked/", '5', "", new byte[0], mode("0000000")).file("locked/a", "x"));
        add("modes with the type in them", tar().member("a", '0', "", new byte[0], mode("0100644")).member("d/", '5', "", new byte[0], mode("0040755")));
        add("mode of a symlink", tar().member("s", '2', "x", new byte[0], mode("0000000")));
        add("suid of a foreign owner", tar().member("a", '0', "", "x".getBytes(ISO_8859_1), h -> {
            mode("0006755").accept(h);
            TarBuilder.put(h, 108, "0001750");
        }));
        add("devices", tar().device("null", 1, 3).device("big", 4095, 0777777)
                .member("blk", '4', "", new byte[0], h -> TarBuilder.put(h, 329, "0000010\0000000001"))
                .member("fifo", '6', "", new byte[0], PLAIN));
        add("device with a size", tar().member("n", '3', "", new byte[0], h -> TarBuilder.put(h, 124, "00000000700")).file("a", "x"));
        add("root folder ./", tar().member("./", '5', "", new byte[0], mode("0000711")).file("./a", "x"));
        add("root folder /", tar().member("/", '5', "", new byte[0], mode("0000711")).file("/a", "x"));
        add("root folder with an owner", tar().pax("uid=5", "SCHILY.xattr.user.a=b", "mtime=5.5").member("./", '5', "", new byte[0], mode("0000711")).file("./a", "x"));
    }

    private void names() {
        add("name of 255 bytes", tar().pax("path=" + "n".repeat(255)).file("n", "x"));
        add("name of 256 bytes", tar().pax("path=" + "n".repeat(256)).file("n", "x"));
        add("path of 4000 bytes", tar().pax("path=" + "abcdefghi/".repeat(399) + "abcdefghij").file("n", "x"));
        add("path of 4096 bytes", tar().pax("path=" + "abcdefghi/".repeat(409) + "abcdef").file("n", "x"));
        add("name of 250 bytes, hidden", tar().pax("path=.wh." + "n".repeat(251)).file("n", ""));
        add("deep folders, listed", deep(60));
        add("name in latin 1", tar().file("caf\u00e9", "x").folder("d\u00e9").file("d\u00e9/x", "y"));
        add("name in utf 8", tar().pax("path=caf\u00c3\u00a9").file("cafe", "x"));
        add("name with a byte order mark, quotes and controls", tar().file("\u00ef\u00bb\u00bfa\"b\\c\nd\u0001e\u007f", "x").file("<&>", "y"));
        add("name with U+2028", tar().file("a\u00e2\u0080\u00a8b", "x"));
        add("name with an overlong and a surrogate", tar().file("a\u00c0\u00af", "x").file("b\u00ed\u00a0\u0080", "y"));
        add("names with dots and slashes", tar().file("./a", "x").file("d/./b", "y").file("d//c", "z").file("/e", "v").file("f/../g", "w"));
        add("names that climb", tar().file("../a", "x").file("d/../../b", "y"));
        add("file with a trailing slash", tar().file("a/", "x"));
        add("symlink with a trailing slash", tar().symlink("a/", "x"));
        add("name that is empty", tar().file("", "x"));
        add("folder name that is empty", tar().folder(""));
        add("name that is a dot", tar().file(".", "x"));
    }

    private void times() {
        add("times before 1970", tar().pax("mtime=-1.25").file("a", "x").pax("mtime=-86400").folder("d").pax("mtime=-5.5").symlink("s", "x").pax("mtime=-5").device("n", 1, 3));
        add("times after 2038", tar().pax("mtime=5000000000.5").file("a", "x").pax("mtime=5000000000").folder("d").pax("mtime=5000000000").symlink("s", "x"));
        add("times after 2446", tar().pax("mtime=20000000000").file("a", "x").pax("mtime=20000000000").folder("d"));
        add("times that nobody lives to see", tar().pax("mtime=9223372036854775807").file("a", "x"));
        add("time zero", tar().member("a", '0', "", new byte[0], h -> TarBuilder.put(h, 136, "00000000000")).pax("mtime=0").folder("d"));
        add("access time before modification", tar().pax("atime=5", "mtime=10.5").file("a", "x"));
    }

    private void order() {
        add("folders after their content", tar().file("d/a", "x").file("d/e/b", "y").pax("mtime=7").member("d/e/", '5', "", new byte[0], mode("0000700"))
                .pax("mtime=8").member("d/", '5', "", new byte[0], mode("0000711")));
        add("folders that are not listed", tar().file("d/e/f/a", "x").symlink("g/s", "x").device("h/n", 1, 3).hardLink("i/l", "d/e/f/a"));
        add("folder listed and then more files", tar().pax("mtime=9").folder("d").file("d/a", "x").file("other", "y").file("d/b", "z"));
        add("name twice", tar().file("a", "x").file("a", "y"));
        add("folder twice", tar().folder("d").folder("d"));
        add("file becomes a folder", tar().file("a", "x").folder("a"));
        add("folder becomes a file", tar().folder("a").file("a", "x"));
        add("unlisted folder becomes a file", tar().file("a/b", "x").file("a", "y"));
        add("unlisted folder with an empty file becomes a file", tar().file("a/b", "").file("a", "y"));
        add("unlisted folder becomes a symlink", tar().file("a/b", "x").symlink("a", "c"));
        add("file replaced through a symlink", tar().folder("d").file("d/a", "x").symlink("s", "d").file("s/a", "other"));
        add("empty file replaced through a symlink", tar().folder("d").file("d/a", "").symlink("s", "d").file("s/a", "other"));
        add("symlink replaced through a symlink", tar().folder("d").symlink("l", "d").file("l/f", "x").symlink("k", "/").folder("k/l"));
        add("symlink and a folder of its name", tar().folder("d").symlink("s", "d").folder("s"));
        add("folder through a symlink, with a file", tar().folder("d").symlink("s", "d").folder("s/e").file("d/e/f", "x"));
        add("folder entry on a symlink, by another spelling", tar().folder("d").symlink("s", "d").symlink("k", "/").folder("k/s").file("d/a", "x"));
    }

    private void ends() {
        add("nothing", new byte[0]);
        add("only zeros", new byte[10240]);
        add("one record of zeros", new byte[512]);
        add("no end", tar().file("a", "x").unended());
        add("one record of zeros at the end", tar().file("a", "x").raw(new byte[512]).unended());
        add("one record of zeros, then a file", tar().file("a", "x").raw(new byte[512]).file("b", "y").unended());
        add("two records of zeros, then a file", tar().file("a", "x").raw(new byte[1024]).file("b", "y").bytes());
        add("garbage after the end", tar().file("a", "x").raw(new byte[1024]).raw("garbage".repeat(300).getBytes(ISO_8859_1)).unended());
        add("much after the end", tar().file("a", "x").raw(new byte[1024]).raw(new byte[3_000_001]).unended());
        add("padding that is not zero", padded());
        add("cut in the content", Arrays.copyOf(tar().file("a", "x".repeat(2000)).bytes(), 1500));
        add("cut in the padding", Arrays.copyOf(tar().file("a", "x".repeat(700)).bytes(), 1400));
        add("cut in a header", Arrays.copyOf(tar().file("a", "x").file("b", "y").bytes(), 1100));
        add("cut after a header", Arrays.copyOf(tar().file("a", "x").bytes(), 512));
        add("cut in the end", Arrays.copyOf(tar().file("a", "x").bytes(), 1024 + 700));
        add("no tar at all", "This is no tar. ".repeat(100).getBytes(ISO_8859_1));
    }

    private void archivers(Path scratch) throws IOException {
        Path tree = scratch.resolve("sampletree");
        Machine.sh("mkdir " + tree + "; cd " + tree + """

                mkdir -p plain deep/er/and/deeper sticky; echo hello > plain/hello; : > plain/empty; head -c 70001 /dev/urandom > plain/large
                ln plain/hello deep/er/hard; ln -s ../plain/hello deep/soft; mknod null c 1 3; mkfifo pipe; chmod 1777 sticky
                cp plain/hello suid; chmod 4755 suid; chown 1000:70000 plain/large
                n=$(printf 'n%.0s' $(seq 1 120)); mkdir -p $n/$n; echo long > $n/$n/$n; ln -s $n/$n/$n longlink; ln $n/$n/$n hardlong
                setfattr -n user.note -v 'some value' plain/hello; setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 suid
                touch -h -d '1999-12-31 23:59:58.123456789 UTC' deep/soft plain/hello; touch -d '2001-02-03 04:05:06.5 UTC' plain deep
                truncate -s 3M hole; printf abc | dd of=hole bs=1 seek=1500000 conv=notrunc status=none; truncate -s 1M allhole
                for i in $(seq 0 40); do printf x | dd of=many bs=1 seek=$((i*100000)) conv=notrunc status=none; done
                printf 'latin' > "$(printf 'caf\\351')"; printf 'x' > 'quo"te'
                """);
        for (String format : new String[] {"gnu", "oldgnu", "pax"}) {
            archiver("gnu tar, " + format, "tar -c --numeric-owner --format=" + format + " *", tree, scratch);
            archiver("gnu tar, " + format + ", sparse", "tar -c --sparse --numeric-owner --format=" + format + " *", tree, scratch);
        }
        archiver("gnu tar, ustar", "tar -c --numeric-owner --format=ustar --exclude=nnn* --exclude=*long* *", tree, scratch);
        archiver("gnu tar, v7", "tar -c --numeric-owner --format=v7 --exclude=nnn* --exclude=*long* --exclude=null --exclude=pipe *", tree, scratch);
        archiver("gnu tar, pax with attributes", "tar -c --xattrs --xattrs-include=* --acls --format=pax .", tree, scratch);
        archiver("gnu tar, pax sparse 0.0", "tar -c --sparse --format=pax --sparse-version=0.0 hole allhole many", tree, scratch);
        archiver("gnu tar, pax sparse 0.1", "tar -c --sparse --format=pax --sparse-version=0.1 hole allhole many", tree, scratch);
        archiver("gnu tar, labelled", "tar -c -V label --format=gnu plain", tree, scratch);
        archiver("gnu tar, incremental", "tar -c --listed-incremental=../snapshot --format=gnu plain; rm ../snapshot", tree, scratch);
        archiver("gnu tar, with ./", "tar -c .", tree, scratch);
        for (String format : new String[] {"pax", "gnutar"}) archiver("bsdtar, " + format, "bsdtar -c -f - --format=" + format + " *", tree, scratch);
        archiver("bsdtar, ustar", "bsdtar -c -f - --format=ustar --exclude nnn* --exclude *long* *", tree, scratch);
        for (String format : new String[] {"PAX", "GNU"}) {
            archiver("python, " + format, "python3 -c \"import tarfile,sys,os; t=tarfile.open(fileobj=sys.stdout.buffer,mode='w|',format=tarfile." + format
                    + "_FORMAT); [t.add(n) for n in sorted(os.listdir('.'))]; t.close()\"", tree, scratch);
        }
    }

    private void archiver(String name, String command, Path tree, Path scratch) throws IOException {
        Path tar = scratch.resolve("sample.tar");
        Machine.sh("cd " + tree + "; " + "{ " + command + "; } > " + tar);
        add(name, Files.readAllBytes(tar));
        Files.delete(tar);
    }

    private static Consumer<byte[]> mode(String octal) {
        return h -> TarBuilder.put(h, 100, octal);
    }

    private static void gnuMagic(byte[] header) {
        TarBuilder.put(header, 257, "ustar  \0");
    }

    private static void base256(byte[] header, int at, int length, long value) {
        for (int i = length - 1; i >= 0; i--) {
            header[at + i] = (byte) value;
            value >>= 8;
        }
        header[at] = (byte) (value < 0 ? 0xff : 0x80);
    }

    private static TarBuilder sparse(int parts) {
        byte[] content = "x".repeat(parts).getBytes(ISO_8859_1);
        var tar = new TarBuilder();
        var more = new byte[(parts - 4 + 20) / 21][512];
        for (int i = 4; i < parts; i++) {
            byte[] block = more[(i - 4) / 21];
            TarBuilder.put(block, (i - 4) % 21 * 24, String.format("%011o\0%011o\0", i * 10_000L, 1));
            if (i > 4 && (i - 4) % 21 == 0) more[(i - 4) / 21 - 1][504] = 1;
        }
        // The map's continuation stands between the header and the content, and is not in the size.
        var map = new java.io.ByteArrayOutputStream();
        for (byte[] block : more) map.writeBytes(block);
        map.writeBytes(content);
        return tar.member("a", 'S', "", map.toByteArray(), h -> {
            gnuMagic(h);
            TarBuilder.put(h, 124, String.format("%011o", content.length));
            for (int i = 0; i < 4; i++) TarBuilder.put(h, 386 + 24 * i, String.format("%011o\0%011o\0", i * 10_000L, 1));
            h[482] = 1;
            TarBuilder.put(h, 483, String.format("%011o", parts * 10_000L));
        });
    }

    private static TarBuilder deep(int depth) {
        var tar = new TarBuilder();
        var path = new StringBuilder();
        for (int i = 0; i < depth; i++) tar.pax("path=" + path.append("d").append(i).append('/')).folder("d");
        return tar.pax("path=" + path + "file").file("f", "x");
    }

    private static byte[] signedChecksum() {
        byte[] tar = new TarBuilder().file("caf\u00e9", "x").bytes();
        int sum = 8 * ' ';
        for (int i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += tar[i];
        TarBuilder.put(tar, 148, String.format("%06o\0 ", sum));
        return tar;
    }

    private static byte[] padded() {
        byte[] tar = new TarBuilder().file("a", "x".repeat(600)).file("b", "y").bytes();
        Arrays.fill(tar, 512 + 600, 512 + 1024, (byte) 'P');
        TarBuilder.put(tar, 1536 + 500, "junk");
        int sum = 8 * ' ';
        for (int i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += tar[1536 + i] & 0xff;
        TarBuilder.put(tar, 1536 + 148, String.format("%06o\0 ", sum));
        return tar;
    }
}
