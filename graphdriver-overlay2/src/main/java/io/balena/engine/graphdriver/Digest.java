package io.balena.engine.graphdriver;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// A SHA-256 digest, written `sha256:` and 64 lower-case hexadecimal digits.
///
/// @param hex the 64 digits
/// @see <a href="https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests">OCI image-spec, digests</a>
public record Digest(String hex) {
    private static final String PREFIX = "sha256:";

    /// @throws IllegalArgumentException when `hex` is not 64 lower-case hexadecimal digits
    public Digest {
        if (!isHex(hex)) throw new IllegalArgumentException("invalid SHA-256 digest: " + hex);
    }

    /// @throws IllegalArgumentException when `text` is not of the form `sha256:<64 hex>`
    public static Digest parse(String text) {
        if (!text.startsWith(PREFIX)) throw new IllegalArgumentException("unsupported digest algorithm: " + text);
        return new Digest(text.substring(PREFIX.length()));
    }

    public static Digest of(byte[] content) {
        return finish(sha256().digest(content));
    }

    /// Ends `running`, a SHA-256, which is reset by this.
    public static Digest of(MessageDigest running) {
        return finish(running.digest());
    }

    /// A new SHA-256 to hash with.
    public static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    /// The first 12 digits, as Docker shows ids.
    public String shortHex() {
        return hex.substring(0, 12);
    }

    @Override
    public String toString() {
        return PREFIX + hex;
    }

    private static Digest finish(byte[] hash) {
        return new Digest(HexFormat.of().formatHex(hash));
    }

    private static boolean isHex(String s) {
        return s.length() == 64 && s.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'f');
    }
}
