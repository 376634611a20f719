package io.balena.engine.distribution;

/// What transfers leave in the heap: it would stay there until that is full, and there are other programs on a device.
final class Leftovers {
    private Leftovers() {}

    /// To be called when the last transfer has ended. Returns before it is done.
    static void collect() {
        Thread.ofPlatform().name("collection").daemon().start(System::gc);
    }
}
