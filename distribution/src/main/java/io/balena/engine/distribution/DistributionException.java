package io.balena.engine.distribution;

/// What can go wrong with images and registries, in words a caller can act on.
public abstract sealed class DistributionException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private DistributionException(String message, Throwable cause) {
        super(message, cause);
    }

    /// Not in the local store.
    public static final class NoSuchImage extends DistributionException {
        private static final long serialVersionUID = 1L;

        public NoSuchImage(String name) {
            super("No such image: " + name, null);
        }
    }

    /// The registry does not have it, or does not say that it has (404, and 401/403 as Docker words them).
    public static final class NotInRegistry extends DistributionException {
        private static final long serialVersionUID = 1L;

        public NotInRegistry(String message) {
            super(message, null);
        }
    }

    /// The registry refuses these credentials.
    public static final class Unauthorized extends DistributionException {
        private static final long serialVersionUID = 1L;

        public Unauthorized(String message) {
            super(message, null);
        }
    }

    /// A registry refused, told to somebody who wanted to know just that: whether a login is good, whether there is such an image.
    public static final class Refused extends DistributionException {
        private static final long serialVersionUID = 1L;

        private final int status;

        /// @param status of HTTP that the registry answered with
        public Refused(int status, String message) {
            super(message, null);
            this.status = status;
        }

        public int status() {
            return status;
        }
    }

    /// The present state forbids it: the image is in use, the name is ambiguous.
    public static final class Conflict extends DistributionException {
        private static final long serialVersionUID = 1L;

        public Conflict(String message) {
            super(message, null);
        }
    }

    /// The request makes no sense and will not on a second try.
    public static final class InvalidRequest extends DistributionException {
        private static final long serialVersionUID = 1L;

        public InvalidRequest(String message) {
            super(message, null);
        }
    }

    /// What was fetched is not what it claims to be: wrong digest, not a tar, not an image.
    public static final class InvalidContent extends DistributionException {
        private static final long serialVersionUID = 1L;

        public InvalidContent(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /// The image that a delta starts from is not here: somebody else may pull the whole target instead.
    public static final class NoDeltaBase extends DistributionException {
        private static final long serialVersionUID = 1L;

        public NoDeltaBase(String message) {
            super(message, null);
        }
    }

    /// The registry or the network failed; the same request may succeed later.
    public static final class Unavailable extends DistributionException {
        private static final long serialVersionUID = 1L;

        public Unavailable(String message, Throwable cause) {
            super(message, cause);
        }
    }
}
