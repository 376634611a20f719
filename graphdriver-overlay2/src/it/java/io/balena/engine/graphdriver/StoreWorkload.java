package io.balena.engine.graphdriver;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.Random;

/// Works on a store until it is killed, saying on its standard output what it is at (`at …`) and what is done and must last:
/// `layer <chain>`, `released <chain>`, `container <id>`, `removed <id>`.
final class StoreWorkload {
    private StoreWorkload() {}

    public static void main(String[] arguments) throws IOException {
        var random = new Random(Long.parseLong(arguments[1]));
        try (var store = LayerStore.open(Path.of(arguments[0]))) {
            var layers = new ArrayDeque<Layer>();
            for (int round = 0; ; round++) {
                Optional<ChainId> parent = layers.isEmpty() ? Optional.empty() : Optional.of(layers.peekLast().chainId());
                try (var staged = store.stage()) {
                    say("at staged");
                    staged.extract(new Telling(tar(round, random).stream()));
                    say("at extracted");
                    Layer layer = staged.commit(parent);
                    say("layer " + layer.chainId());
                    layers.add(layer);
                }
                String container = "c" + arguments[1] + "-" + round;
                say("at creating");
                ContainerLayer made = store.createContainerLayer(container, Optional.of(layers.getLast().chainId()));
                say("container " + container);
                made.mount();
                say("at mounted");
                if (round % 2 == 0) {
                    say("gone " + container);
                    made.remove();
                    say("removed " + container);
                }
                if (layers.size() > 3) {
                    Layer top = layers.removeLast();
                    if (round % 2 == 0) {
                        say("gone " + top.chainId());
                        store.release(top.chainId());
                        say("released " + top.chainId());
                    }
                    layers.clear();
                }
            }
        }
    }

    private static TarBuilder tar(int round, Random random) {
        var tar = new TarBuilder().folder("d" + round);
        for (int i = 0; i < 40; i++) tar.file("d" + round + "/f" + i, "x".repeat(random.nextInt(40_000)));
        return tar.file("big", "b".repeat(3_000_000));
    }

    private static void say(String what) {
        System.out.println(what);
        System.out.flush();
    }

    /// Says how far it was read.
    private static final class Telling extends FilterInputStream {
        Telling(InputStream in) {
            super(in);
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            int got = super.read(to, offset, Math.min(length, 200_000));
            say("at read");
            return got;
        }
    }
}
