package io.balena.engine.daemon.http;

/// A version of the Engine API, e.g. 1.41.
public record ApiVersion(int major, int minor) implements Comparable<ApiVersion> {
    public static final ApiVersion NEWEST = new ApiVersion(1, 51);
    public static final ApiVersion OLDEST = new ApiVersion(1, 24);
    /// Not announced, and answered like the oldest: skopeo before 1.14 asks for it without asking what there is, and for nothing that has
    /// changed since.
    static final ApiVersion OLDEST_ANSWERED = new ApiVersion(1, 22);

    /// @throws IllegalArgumentException when `text` is not two numbers with a dot between
    public static ApiVersion parse(String text) {
        String[] parts = text.split("\\.", -1);
        if (parts.length != 2) throw new IllegalArgumentException("not an API version: " + text);
        return new ApiVersion(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
    }

    public boolean atLeast(int otherMajor, int otherMinor) {
        return compareTo(new ApiVersion(otherMajor, otherMinor)) >= 0;
    }

    @Override
    public int compareTo(ApiVersion other) {
        return major != other.major ? Integer.compare(major, other.major) : Integer.compare(minor, other.minor);
    }

    @Override
    public String toString() {
        return major + "." + minor;
    }
}
