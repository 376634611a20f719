package io.balena.engine.packaging;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// The power goes at any moment of a busy day ([Workload]). On what it leaves of the disk ([Disk], which says why that is
/// what a power cut leaves), the engine starts, has every change that it had acknowledged ([Journal]), every image whole, and
/// nothing that belongs to nothing ([Verification]).
///
/// Not covered: media that damage what they were not writing to, and controllers that acknowledge a flush and do not flush.
///
/// The long tests take `-Dfaults` copies, 200 unless told.
class PowerCutIT {
    private static final int LONG = Integer.getInteger("faults", 200);
    /// Copied while the engine works, then looked at while it rests: so the moments stay as close to each other as they come.
    private static final int AT_ONCE = 8;

    private final Random random = new Random();

    @Test void aPowerCutLosesNothingThatWasAcknowledgedAndLeavesNothingHalf() throws Exception {
        cutPower(Disk.Cache.NONE, 4);
    }

    @Test void aPowerCutDoesNotEitherWhenTheDiskLosesItsCache() throws Exception {
        cutPower(Disk.Cache.VOLATILE, 3);
    }

    @Tag("long")
    @Test void manyPowerCutsLoseNothingThatWasAcknowledgedAndLeaveNothingHalf() throws Exception {
        cutPower(Disk.Cache.NONE, LONG - LONG / 2);
    }

    @Tag("long")
    @Test void manyPowerCutsDoNotEitherWhenTheDiskLosesItsCache() throws Exception {
        cutPower(Disk.Cache.VOLATILE, LONG / 2);
    }

    /// A test of the method: numbered blocks are written one after another while copies are made; each holds all that were written
    /// before it, and of the last ones no later without the earlier.
    @Test void aCopyHoldsEveryWriteBeforeItAndNoLaterOneWithoutTheEarlier() throws Exception {
        try (var shelf = Shelf.make()) {
            Path file = shelf.file("numbers");
            Files.write(file, new byte[8 * 4096]);
            long[] written = {0};
            var stop = new boolean[1];
            var writer = Thread.ofPlatform().start(() -> writeNumbers(file, written, stop));
            for (int i = 0; i < 30; i++) {
                Thread.sleep(random.nextInt(10));
                long before;
                synchronized (written) {
                    before = written[0];
                }
                shelf.copy(file, shelf.file("copy" + i));
                long[] numbers = numbers(shelf.file("copy" + i));
                long newest = Arrays.stream(numbers).max().orElseThrow();
                assertTrue(newest >= before, "number " + before + " was written and is not in the copy, which ends with " + newest);
                for (long number : numbers) {
                    assertTrue(number > newest - 8 || newest < 8, "number " + newest + " is there, and of the 8 before only " + number);
                }
            }
            stop[0] = true;
            writer.join();
        }
    }

    /// Number n goes to block n mod 8.
    private static void writeNumbers(Path file, long[] written, boolean[] stop) {
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            for (long n = 1; !stop[0]; n++) {
                byte[] block = Arrays.copyOf("%020d".formatted(n).getBytes(US_ASCII), 4096);
                channel.write(ByteBuffer.wrap(block), n % 8 * 4096);
                synchronized (written) {
                    written[0] = n;
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long[] numbers(Path file) throws IOException {
        byte[] all = Files.readAllBytes(file);
        var numbers = new long[8];
        for (int i = 0; i < 8; i++) {
            String text = new String(all, i * 4096, 20, US_ASCII);
            numbers[i] = text.charAt(0) == 0 ? 0 : Long.parseLong(text);
        }
        return numbers;
    }

    private record Cut(Disk disk, long began, long ended) {}

    private void cutPower(Disk.Cache cache, int count) throws Exception {
        try (var shelf = Shelf.make();
                var engine = Engine.prepare("--bridge=none")) {
            var images = KnownImages.make(engine.scratch(), 3);
            var disk = Disk.make(shelf, "disk", 400, cache, "-N", "60000");
            disk.mount(engine.data());
            engine.startDaemon();
            var journal = new Journal();
            try (var _ = Registry.start(engine, images.storage());
                    var workload = new Workload(engine.api(), journal, images)) {
                for (int done = 0; done < count; done += AT_ONCE) {
                    List<Cut> cuts = someCuts(disk, workload, Math.min(AT_ONCE, count - done));
                    // Containers know where their data root lies: the copies have to be mounted at the very same place.
                    engine.stopDaemon();
                    disk.unmount();
                    for (int i = 0; i < cuts.size(); i++) survives(cuts.get(i), engine, journal, images, done + i + 1);
                    disk.mount(engine.data());
                    engine.startDaemon();
                    System.out.println(done + cuts.size() + " of " + count + " power cuts, " + cache + ": " + workload);
                }
            }
        }
    }

    private List<Cut> someCuts(Disk disk, Workload workload, int count) throws InterruptedException {
        List<Cut> cuts = new ArrayList<>();
        workload.goOn();
        for (int i = 0; i < count; i++) {
            workload.letHappen(5, 300, random);
            long began = System.nanoTime();
            var copy = disk.copy("copy" + i);
            cuts.add(new Cut(copy, began, System.nanoTime()));
        }
        workload.hold();
        return cuts;
    }

    private void survives(Cut cut, Engine engine, Journal journal, KnownImages images, int number) throws IOException {
        cut.disk.mount(engine.data());
        try {
            Files.deleteIfExists(engine.log());
            engine.startDaemon();
            var verification = new Verification(engine, journal, images);
            var seen = verification.check(cut.began, cut.ended);
            var containers = seen.values().stream().filter(state -> state.contains(" ")).map(state -> state.split(" ")[0]).toList();
            if (!containers.isEmpty()) verification.checkThatItStarts(containers.get(random.nextInt(containers.size())));
            engine.cutPower();
            Verification.checkTars(engine.data());
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("after power cut " + number + ": " + e.getMessage(), e);
        } finally {
            engine.cutPower();
            cut.disk.delete();
        }
    }
}
