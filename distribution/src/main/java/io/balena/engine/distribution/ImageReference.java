package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A normalised name of an image in a registry, e.g. `docker.io/library/busybox:latest`.
///
/// @param domain host and optional port of the registry
/// @param path the repository within the registry
/// @param tag at most one of `tag` and `digest` decides what is meant; with both, the digest does
/// @see <a href="https://github.com/distribution/reference">distribution/reference</a>
public record ImageReference(String domain, String path, Optional<String> tag, Optional<Digest> digest) {
    private static final String DEFAULT_DOMAIN = "docker.io";
    private static final String LEGACY_DEFAULT_DOMAIN = "index.docker.io";
    private static final String OFFICIAL = "library/";
    private static final String DEFAULT_TAG = "latest";
    private static final int LONGEST_PATH = 255;

    // Possessive quantifiers keep the matcher iterative: a hostile name of many components must not cost stack.
    private static final String DOMAIN_COMPONENT = "[a-zA-Z0-9]++(?:-++[a-zA-Z0-9]++)*+";
    private static final String DOMAIN =
            "(?:" + DOMAIN_COMPONENT + "(?:\\." + DOMAIN_COMPONENT + ")*+|\\[[a-fA-F0-9:]++])(?::[0-9]++)?+";
    private static final String PATH_COMPONENT = "[a-z0-9]++(?:(?:__|[._]|-++)[a-z0-9]++)*+";
    private static final String PATH = PATH_COMPONENT + "(?:/" + PATH_COMPONENT + ")*+";
    private static final String TAG = "\\w[\\w.-]{0,127}+";
    private static final String DIGEST = "[A-Za-z][A-Za-z0-9]*+(?:[-_+.][A-Za-z][A-Za-z0-9]*+)*+:[0-9a-fA-F]{32,}+";
    private static final Pattern REFERENCE =
            Pattern.compile("(" + DOMAIN + ")/(" + PATH + ")(?::(" + TAG + "))?(?:@(" + DIGEST + "))?");
    private static final Pattern IDENTIFIER = Pattern.compile("[a-f0-9]{64}");

    /// Reads a name as users write it: `busybox`, `user/app:1`, `127.0.0.1:5000/app@sha256:…`. No default tag is added.
    ///
    /// @throws IllegalArgumentException with Docker's words when it is malformed
    public static ImageReference parse(String text) {
        if (IDENTIFIER.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "invalid repository name (" + text + "), cannot specify 64-byte hexadecimal strings");
        }
        Split split = Split.of(text);
        String name = beforeFirstColon(split.remainder());
        if (!name.equals(name.toLowerCase(Locale.ROOT))) {
            throw new IllegalArgumentException("invalid reference format: repository name must be lowercase");
        }
        Matcher match = REFERENCE.matcher(split.domain() + "/" + split.remainder());
        if (!match.matches()) throw new IllegalArgumentException("invalid reference format");
        if (match.group(2).length() > LONGEST_PATH) {
            throw new IllegalArgumentException("repository name must not be more than " + LONGEST_PATH + " characters");
        }
        return new ImageReference(
                match.group(1),
                match.group(2),
                Optional.ofNullable(match.group(3)),
                Optional.ofNullable(match.group(4)).map(ImageReference::parseDigest));
    }

    /// This reference with tag `latest` when it has neither tag nor digest.
    public ImageReference withDefaultTag() {
        return tag.isPresent() || digest.isPresent() ? this : withTag(DEFAULT_TAG);
    }

    /// Repository as users see it: `busybox`, `127.0.0.1:5000/app`.
    public String familiarName() {
        if (!domain.equals(DEFAULT_DOMAIN)) return domain + "/" + path;
        boolean official = path.startsWith(OFFICIAL) && path.indexOf('/', OFFICIAL.length()) < 0;
        return official ? path.substring(OFFICIAL.length()) : path;
    }

    /// Whole reference as users see it: `busybox:latest`.
    public String familiar() {
        return familiarName() + tag.map(t -> ":" + t).orElse("") + digest.map(d -> "@" + d).orElse("");
    }

    /// Repository with its registry always spelled out: `docker.io/library/busybox`.
    String fullName() {
        return domain + "/" + path;
    }

    /// @param text perhaps a registry: its host, with its port if that is not the usual one
    static boolean isDomain(String text) {
        return text.matches(DOMAIN);
    }

    static boolean isTag(String text) {
        return text.matches(TAG);
    }

    ImageReference withTag(String newTag) {
        return new ImageReference(domain, path, Optional.of(newTag), Optional.empty());
    }

    ImageReference withDigest(Digest newDigest) {
        return new ImageReference(domain, path, Optional.empty(), Optional.of(newDigest));
    }

    /// The one thing this reference decides by: its digest when it has one, else its tag, else `latest`.
    ImageReference decisive() {
        return digest.map(this::withDigest).orElseGet(this::withDefaultTag);
    }

    /// @return `domain/path[:tag][@digest]`
    @Override
    public String toString() {
        return fullName() + tag.map(t -> ":" + t).orElse("") + digest.map(d -> "@" + d).orElse("");
    }

    private static String beforeFirstColon(String text) {
        int colon = text.indexOf(':');
        return colon < 0 ? text : text.substring(0, colon);
    }

    private static Digest parseDigest(String text) {
        if (!text.startsWith("sha256:")) throw new IllegalArgumentException("unsupported digest algorithm");
        if (text.length() != "sha256:".length() + 64) throw new IllegalArgumentException("invalid checksum digest length");
        if (!text.equals(text.toLowerCase(Locale.ROOT))) throw new IllegalArgumentException("invalid checksum digest format");
        return Digest.parse(text);
    }

    /// What stands before the first slash is a registry when it cannot be the first part of a name on Docker Hub.
    private record Split(String domain, String remainder) {
        static Split of(String text) {
            int slash = text.indexOf('/');
            if (slash < 0) return new Split(DEFAULT_DOMAIN, OFFICIAL + text);
            String first = text.substring(0, slash);
            String rest = text.substring(slash + 1);
            if (first.equals(DEFAULT_DOMAIN) || first.equals(LEGACY_DEFAULT_DOMAIN)) return onHub(rest);
            boolean domain = first.equals("localhost")
                    || first.contains(".")
                    || first.contains(":")
                    || !first.equals(first.toLowerCase(Locale.ROOT));
            return domain ? new Split(first, rest) : onHub(text);
        }

        private static Split onHub(String name) {
            return new Split(DEFAULT_DOMAIN, name.contains("/") ? name : OFFICIAL + name);
        }
    }
}
