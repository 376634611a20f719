package io.balena.engine.daemon.http;

import io.balena.engine.daemon.EngineException;

/// One endpoint: a method, a path with `{names}`, and what answers it. One name of a path may be written `{name...}`: it takes as many
/// segments as fit, slashes included (image names have them).
public record Route(String method, String path, Handler handler) {
    /// Answers a request on a virtual thread of its own, in blocking style. It runs to its end even when the client leaves, so that
    /// nothing stays half done; the writer of a [Response.Stream] is interrupted then. So what waits for long belongs into a stream,
    /// which sends its status line early by a flush.
    @FunctionalInterface
    public interface Handler {
        Response handle(Request request) throws Exception;
    }

    /// A handler that waits for nothing, neither a lock nor a disk nor a client: it is called where bytes arrive, without a thread of its own.
    @FunctionalInterface
    public interface Immediate extends Handler {}

    public static Route get(String path, Handler handler) {
        return new Route("GET", path, handler);
    }

    public static Route head(String path, Handler handler) {
        return new Route("HEAD", path, handler);
    }

    public static Route post(String path, Handler handler) {
        return new Route("POST", path, handler);
    }

    public static Route put(String path, Handler handler) {
        return new Route("PUT", path, handler);
    }

    public static Route delete(String path, Handler handler) {
        return new Route("DELETE", path, handler);
    }

    /// An endpoint of the API that this engine does not have yet; it says so.
    ///
    /// @param what it would do, e.g. `pushing images`
    public static Route notYet(String method, String path, String what) {
        return new Route(method, path, _ -> {
            throw new EngineException.NotSupported(what);
        });
    }
}
