package io.balena.engine.daemon.http;

/// Keeps Netty from loading and measuring what an API on local sockets has no use for. To be applied before its first class is loaded.
final class NettySettings {
    private NettySettings() {}

    static void apply() {
        NettyLog.use();
        set("io.netty.jfr.enabled", "false");
        set("io.netty.leakDetection.level", "disabled");
        // Channel ids would otherwise be made from the hardware addresses of all links, of which each container has one.
        set("io.netty.machineId", "02:00:00:00:00:00:00:01");
        set("io.netty.processId", "1");
        // We bring an allocator of our own; this is the one Netty makes for nobody.
        set("io.netty.allocator.type", "unpooled");
    }

    // Whoever looks for a fault can still ask for another value on the command line.
    private static void set(String property, String value) {
        if (System.getProperty(property) == null) System.setProperty(property, value);
    }
}
