package io.balena.engine.linux;

/// One call of mount(2), without its target.
///
/// @param source what is mounted: a device, a path, or any word where the type needs none
/// @param type the file system, e.g. `overlay`
/// @param flags `MS_*` of mount(2)
/// @param options what the file system itself is told, comma-separated; at most a page less one byte
public record Mount(String source, String type, long flags, String options) {
    @Override
    public String toString() {
        return source + " type=" + type + " flags=0x" + Long.toHexString(flags) + " (" + options + ")";
    }
}
