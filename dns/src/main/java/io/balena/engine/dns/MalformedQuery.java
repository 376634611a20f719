package io.balena.engine.dns;

/// Bytes that are no query that can be answered.
final class MalformedQuery extends Exception {
    private static final long serialVersionUID = 1L;

    private final int code;

    /// @param code of [DnsReply] to answer with; -1 for no answer at all
    MalformedQuery(int code) {
        super("malformed query", null, false, false);
        this.code = code;
    }

    int code() {
        return code;
    }
}
