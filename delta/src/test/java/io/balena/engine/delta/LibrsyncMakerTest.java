package io.balena.engine.delta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LibrsyncMakerTest {
    @Test
    void whatIsMadeGivesTheTargetWhateverTheContentsAre() throws Exception {
        for (int seed = 0; seed < 60; seed++) {
            var random = new SplittableRandom(seed);
            byte[] base = Deltas.content(random, random.nextInt(0, 200_000));
            byte[] target = seed % 10 == 0 ? Deltas.content(random, random.nextInt(0, 200_000)) : Deltas.edited(random, base);
            assertArrayEquals(target, Deltas.apply(Deltas.make(base, target), base), "seed " + seed);
        }
    }

    @Test
    void bothMayBeLongerThanOneSegment() throws Exception {
        var random = new SplittableRandom(7);
        byte[] base = Deltas.content(random, 3 * Segment.SIZE + 12345);
        byte[] target = Deltas.edited(random, base);
        byte[] delta = Deltas.make(base, target);
        assertArrayEquals(target, Deltas.apply(delta, base));
        assertTrue(delta.length < target.length / 4, delta.length + " of " + target.length);
    }

    @Test
    void anUnchangedTargetTakesOneCopyAcrossAllSegments() throws Exception {
        byte[] base = new byte[2 * Segment.SIZE + 100];
        new java.util.Random(1).nextBytes(base);
        assertEquals(4 + 1 + 1 + 4 + 1, Deltas.make(base, base).length);
    }

    @Test
    void emptyBasesAndTargetsAreBasesAndTargets() throws Exception {
        byte[] some = "some bytes that are not in the base".getBytes();
        assertArrayEquals(new byte[0], Deltas.apply(Deltas.make(some, new byte[0]), some));
        assertArrayEquals(some, Deltas.apply(Deltas.make(new byte[0], some), new byte[0]));
        assertArrayEquals(new byte[0], Deltas.apply(Deltas.make(new byte[0], new byte[0]), new byte[0]));
    }

    @Test
    void aLongRunOfZerosTakesNextToNothing() throws Exception {
        byte[] base = new byte[100_000];
        byte[] target = new byte[2_000_000];
        new java.util.Random(1).nextBytes(target);
        Arrays.fill(target, 1000, target.length - 1000, (byte) 0);
        byte[] delta = Deltas.make(base, target);
        assertArrayEquals(target, Deltas.apply(delta, base));
        assertTrue(delta.length < 2600, "bytes: " + delta.length);
    }

    @Test
    void aDeltaDoesNotDependOnHowThreadsTookTurns() throws Exception {
        var random = new SplittableRandom(11);
        byte[] base = Deltas.content(random, 3 * Segment.SIZE);
        byte[] target = Deltas.edited(random, base);
        byte[] first = Deltas.make(base, target);
        for (int i = 0; i < 5; i++) assertArrayEquals(first, Deltas.make(base, target));
    }

    @Test
    void progressIsToldToTheEndForTheBaseAndForEachTarget() throws Exception {
        byte[] base = Deltas.content(new SplittableRandom(3), Segment.SIZE + 1);
        List<Long> told = new ArrayList<>();
        try (DeltaMaker maker = DeltaFormat.LIBRSYNC.maker(new BytesBase(base), told::add)) {
            assertEquals(List.of((long) Segment.SIZE, Segment.SIZE + 1L), told);
            told.clear();
            maker.make(new ByteArrayInputStream(base), new ByteArrayOutputStream(), told::add);
            maker.make(new ByteArrayInputStream(base), new ByteArrayOutputStream(), told::add);
            assertEquals(List.of((long) Segment.SIZE, Segment.SIZE + 1L, (long) Segment.SIZE, Segment.SIZE + 1L), told);
        }
    }

    @Test
    void aBaseThatCannotBeReadIsAnErrorAndLeavesNoThreadBehind() {
        Base broken = new Base() {
            @Override
            public long size() {
                return 10_000_000;
            }

            @Override
            public Reader open() {
                return new BytesBase(new byte[0]).open();
            }

            @Override
            public java.io.InputStream stream() {
                return new BrokenStream(3 * Segment.SIZE);
            }
        };
        try {
            DeltaFormat.LIBRSYNC.maker(broken, _ -> {});
        } catch (IOException e) {
            assertEquals("layer is damaged: usr/bin/app", e.getMessage());
            assertEquals(0, Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("delta-")).filter(Thread::isAlive).count());
            return;
        }
        throw new AssertionError("no error");
    }

    private static final class BrokenStream extends java.io.InputStream {
        private int left;

        BrokenStream(int good) {
            left = good;
        }

        @Override
        public int read() throws IOException {
            if (left-- == 0) throw new IOException("layer is damaged: usr/bin/app");
            return 'x';
        }
    }
}
