package io.balena.engine.daemon.bbolt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Reads the file of volumes that Debian's dockerd wrote, whole and damaged. It has branch pages (300 volumes), values of several pages
/// (a label of 20 KB) and pages that were freed and used again.
class BoltFileIT {
    private static final int VOLUMES = 300;
    private static final int META = 16;

    @TempDir
    static Path folder;

    private static Path written;

    @BeforeAll
    static void dockerWritesItsVolumes() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/dockerd")), "needs dockerd");
        Process dockerd = new ProcessBuilder("/usr/sbin/dockerd", "--data-root", folder + "/root", "--exec-root", folder + "/exec",
                "-H", "unix://" + folder + "/sock", "--pidfile", folder + "/pid", "--bridge=none", "--iptables=false",
                "--storage-driver=overlay2").redirectErrorStream(true).start();
        try {
            var log = dockerd.inputReader();
            String line = log.readLine();
            while (line != null && !line.contains("API listen on")) line = log.readLine();
            assertTrue(line != null, "dockerd started");
            Thread.ofVirtual().start(() -> log.lines().forEach(_ -> {})); // so that it does not block on a full pipe
            sh("cd " + folder + "; ask() { curl -sf --unix-socket sock -H 'Content-Type: application/json' \"$@\" > answer; }\n"
                    + "i=100; while [ $i -lt " + (100 + VOLUMES) + " ]; do ask -d '{\"Name\":\"v'$i'\",\"Labels\":{\"n\":\"'$i'\"}}' http://x/volumes/create; i=$((i+1)); done\n"
                    + "big=$(head -c 20000 /dev/zero | tr '\\0' x); echo '{\"Name\":\"big\",\"Labels\":{\"n\":\"'$big'\"}}' > big.json\n"
                    + "ask -d @big.json http://x/volumes/create; ask -X DELETE http://x/volumes/v100; ask -d '{\"Name\":\"last\"}' http://x/volumes/create");
        } finally {
            dockerd.toHandle().destroy();
            dockerd.waitFor();
        }
        written = folder.resolve("root/volumes/metadata.db");
    }

    private static void sh(String script) throws Exception {
        Process process = new ProcessBuilder("sh", "-ec", script).inheritIO().start();
        assertEquals(0, process.waitFor(), script);
    }

    @Test
    void everythingThatDockerWroteIsRead() throws Exception {
        byte[] before = Files.readAllBytes(written);
        Map<String, String> volumes = read(written);
        assertEquals(VOLUMES + 1, volumes.size());
        assertEquals("{\"n\":\"250\"}", labels(volumes.get("v250")));
        assertEquals(20_000 + "{\"n\":\"\"}".length(), labels(volumes.get("big")).length());
        assertTrue(volumes.containsKey("last") && !volumes.containsKey("v100"));
        assertArrayEquals(before, Files.readAllBytes(written), "nothing was written");
    }

    @Test
    void nestedAndInlineBucketsAreFound() throws Exception {
        try (var file = BoltFile.open(folder.resolve("root/network/files/local-kv.db"))) {
            var keys = new TreeMap<String, byte[]>();
            file.root().bucket("libnetwork".getBytes(UTF_8)).orElseThrow().forEach((key, value) -> keys.put(new String(key, UTF_8), value));
            assertTrue(keys.keySet().stream().anyMatch(key -> key.startsWith("docker/network/v1.0/network/")), keys.keySet().toString());
            assertTrue(file.root().bucket("nosuch".getBytes(UTF_8)).isEmpty());
        }
    }

    @Test
    void theNewerOfTheTwoMetaPagesCountsAndEitherIsEnough() throws Exception {
        byte[] bytes = Files.readAllBytes(written);
        int pageSize = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(META + 8);
        int newer = transaction(bytes, 0) > transaction(bytes, pageSize) ? 0 : pageSize;
        byte[] broken = bytes.clone();
        broken[newer + META + 20]++;
        // The other is one transaction older: the marking of the last volume.
        int older = read(copy(broken)).size();
        assertTrue(older >= VOLUMES && older <= VOLUMES + 2, older + " volumes");
        broken[pageSize - newer + META + 20]++;
        assertThrows(BoltFormatException.class, () -> read(copy(broken)));
    }

    @Test
    void aFileThatIsCutOffIsRefused() throws Exception {
        byte[] bytes = Files.readAllBytes(written);
        for (int length : new int[] {0, 1, 15, 79, 80, 4095, 4096, 5000, 8192}) {
            Path cut = copy(Arrays.copyOf(bytes, length));
            assertThrows(BoltFormatException.class, () -> read(cut), length + " bytes");
        }
        for (int length = 12_288; length < bytes.length; length += 4096) readOrRefuse(copy(Arrays.copyOf(bytes, length)));
        assertThrows(BoltFormatException.class, () -> read(copy(new byte[65_536])));
    }

    @Test
    void circlesAndHugeNumbersEndTheReading() throws Exception {
        byte[] bytes = Files.readAllBytes(written);
        ByteBuffer view = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int pageSize = view.getInt(META + 8);
        for (int page = 2; page < bytes.length / pageSize; page++) {
            int flags = view.getShort(page * pageSize + 8);
            byte[] damaged = bytes.clone();
            ByteBuffer into = ByteBuffer.wrap(damaged).order(ByteOrder.LITTLE_ENDIAN);
            if (flags == 1) into.putLong(page * pageSize + 16 + 8, page);
            if (flags == 2) into.putInt(page * pageSize + 16 + 12, 0x7fffffff).putInt(page * pageSize + 12, 0xffffffff);
            if (flags == 1 || flags == 2) readOrRefuse(copy(damaged));
        }
    }

    @Test
    void damageAnywhereIsToldAsDamage() throws Exception {
        byte[] bytes = Files.readAllBytes(written);
        var random = new Random(20_10);
        for (int round = 0; round < 3000; round++) {
            byte[] damaged = bytes.clone();
            for (int change = random.nextInt(1, 40); change > 0; change--) {
                // Mostly headers and element tables: there lies what can mislead.
                int page = random.nextInt(bytes.length / 4096) * 4096;
                damaged[page + random.nextInt(random.nextBoolean() ? 64 : 4096)] = (byte) (random.nextInt(3) == 0 ? 0xff : random.nextInt());
            }
            if (round % 2 == 0) System.arraycopy(bytes, 0, damaged, 0, 2 * 4096); // else most are refused at the door
            readOrRefuse(copy(damaged));
        }
    }

    private static void readOrRefuse(Path file) throws IOException {
        try {
            read(file);
        } catch (BoltFormatException e) {
            assertTrue(!e.getMessage().isBlank());
        }
    }

    private static long transaction(byte[] bytes, int page) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(page + META + 48);
    }

    private static Map<String, String> read(Path file) throws IOException {
        try (var open = BoltFile.open(file)) {
            var volumes = new TreeMap<String, String>();
            var bucket = open.root().bucket("volumes".getBytes(UTF_8));
            if (bucket.isPresent()) bucket.get().forEach((key, value) -> volumes.put(new String(key, UTF_8), new String(value, UTF_8)));
            return volumes;
        }
    }

    private static String labels(String json) throws IOException {
        return new ObjectMapper().readTree(json).get("Labels").toString();
    }

    private static Path copy(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("copy.db"), bytes);
    }
}
