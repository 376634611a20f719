package io.balena.engine.daemon.http;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.distribution.DistributionException;
import io.balena.engine.network.NetworkException;
import io.balena.engine.runtime.ContainerFailure;
import java.util.Map;

/// The only class that knows both our errors and HTTP. Body: `{"message":"No such container: web"}`.
public final class ErrorResponses {
    private ErrorResponses() {}

    static Response of(Throwable failure) {
        return of(status(failure), message(failure));
    }

    static Response of(int status, String message) {
        return Response.json(status, Map.of("message", message));
    }

    /// What clients are told, also where it cannot be a response of its own any more.
    public static String message(Throwable failure) {
        String message = failure.getMessage();
        boolean wordless = message == null || message.isBlank();
        return switch (failure) {
            case EngineException _, DistributionException _, ContainerFailure _ when !wordless -> message;
            case Error _, RuntimeException _ -> "internal error: " + failure;
            default -> wordless ? failure.toString() : message;
        };
    }

    /// Whether nobody thought of this failure, so that whoever reads the log will want to know where it came from.
    static boolean isUnexpected(Throwable failure) {
        return switch (failure) {
            case EngineException _, DistributionException _ -> false;
            default -> failure instanceof RuntimeException || failure instanceof Error;
        };
    }

    static int status(Throwable failure) {
        return switch (failure) {
            case EngineException e -> status(e);
            case DistributionException e -> status(e);
            case ContainerFailure e -> status(e);
            case NetworkException e -> status(e);
            case ClientLeftException _ -> 400;
            default -> 500;
        };
    }

    // No default in these: a new kind does not compile until it has a status.

    private static int status(EngineException e) {
        return switch (e) {
            case EngineException.NotFound _ -> 404;
            case EngineException.Conflict _ -> 409;
            case EngineException.Forbidden _ -> 403;
            case EngineException.InvalidRequest _ -> 400;
            case EngineException.Unavailable _ -> 503;
            case EngineException.SystemFailure _ -> 500;
            case EngineException.NotSupported _ -> 501;
        };
    }

    private static int status(DistributionException e) {
        return switch (e) {
            case DistributionException.NoSuchImage _ -> 404;
            case DistributionException.NotInRegistry _ -> 404;
            case DistributionException.NoDeltaBase _ -> 404;
            // dockerd answers a registry's refusal so: 401 would make clients doubt their credentials for the engine itself.
            case DistributionException.Unauthorized _ -> 500;
            case DistributionException.Refused refused -> refused.status();
            case DistributionException.Conflict _ -> 409;
            case DistributionException.InvalidRequest _ -> 400;
            case DistributionException.InvalidContent _ -> 500;
            case DistributionException.Unavailable _ -> 500;
        };
    }

    private static int status(NetworkException e) {
        return switch (e.kind()) {
            case INVALID -> 400;
            case FORBIDDEN -> 403;
            case NOT_FOUND -> 404;
            case CONFLICT -> 409;
            case FAILED -> 500;
        };
    }

    private static int status(ContainerFailure e) {
        return switch (e.kind()) {
            case NOT_FOUND, NOT_EXECUTABLE, SETUP -> 400;
            case NO_SUCH_PROCESS -> 409;
            case LOGGING -> 500;
        };
    }
}
