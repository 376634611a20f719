package io.balena.engine.daemon;

/// What can go wrong, in words a caller can act on. Add a kind only if somebody will treat it differently.
public abstract sealed class EngineException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private EngineException(String message, Throwable cause) {
        super(message, cause);
    }

    /// The same kind of failure in other words.
    ///
    /// @param words before this one's own
    public EngineException after(String words) {
        String message = words + getMessage();
        return switch (this) {
            case NotFound _ -> new NotFound(message);
            case Conflict _ -> new Conflict(message);
            case Forbidden _ -> new Forbidden(message);
            case InvalidRequest _ -> new InvalidRequest(message);
            case Unavailable _ -> new Unavailable(message, this);
            case NotSupported _ -> NotSupported.saying(message);
            case SystemFailure _ -> new SystemFailure(message, this);
        };
    }

    /// What was named does not exist.
    public static final class NotFound extends EngineException {
        private static final long serialVersionUID = 1L;

        public NotFound(String message) {
            super(message, null);
        }

        public static NotFound container(String name) {
            return new NotFound("No such container: " + name);
        }
    }

    /// The present state forbids it.
    public static final class Conflict extends EngineException {
        private static final long serialVersionUID = 1L;

        public Conflict(String message) {
            super(message, null);
        }
    }

    /// Nothing to be done about it: what is asked for is taken, or not to be had.
    public static final class Forbidden extends EngineException {
        private static final long serialVersionUID = 1L;

        public Forbidden(String message) {
            super(message, null);
        }
    }

    /// Do not retry unchanged.
    public static final class InvalidRequest extends EngineException {
        private static final long serialVersionUID = 1L;

        public InvalidRequest(String message) {
            super(message, null);
        }
    }

    /// Not now: the registry, the network, a service that is not there.
    public static final class Unavailable extends EngineException {
        private static final long serialVersionUID = 1L;

        public Unavailable(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /// Part of the API, but not of this engine yet, or not in this case.
    public static final class NotSupported extends EngineException {
        private static final long serialVersionUID = 1L;

        /// @param what e.g. `pushing images`
        public NotSupported(String what) {
            this(what, " is not supported by this engine yet");
        }

        private NotSupported(String what, String words) {
            super(what + words, null);
        }

        /// What no engine does, in Docker's words.
        public static NotSupported saying(String message) {
            return new NotSupported(message, "");
        }
    }

    /// The machine failed us; the cause says how.
    public static final class SystemFailure extends EngineException {
        private static final long serialVersionUID = 1L;

        public SystemFailure(String message, Throwable cause) {
            super(message, cause);
        }
    }
}
