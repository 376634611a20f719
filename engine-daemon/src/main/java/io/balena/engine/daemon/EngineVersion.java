package io.balena.engine.daemon;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/// Which build of the engine this is.
///
/// @param version e.g. `0.1.0`
/// @param commit of the sources, abbreviated, or `unknown`
/// @param buildTime RFC 3339
public record EngineVersion(String version, String commit, String buildTime) {
    /// The version of the running code, as the build wrote it.
    public static EngineVersion current() {
        return Holder.CURRENT;
    }

    private static final class Holder {
        static final EngineVersion CURRENT = read();

        private static EngineVersion read() {
            var build = new Properties();
            try (InputStream in = EngineVersion.class.getResourceAsStream("version.properties")) {
                build.load(in);
            } catch (IOException e) {
                throw new UncheckedIOException("reading version.properties", e);
            }
            return new EngineVersion(build.getProperty("version"), build.getProperty("commit"), build.getProperty("buildTime"));
        }
    }
}
