package io.balena.engine.cli;

/// The engine refused: its status and its message.
class ApiException extends RuntimeException {
    private final int status;

    ApiException(int status, String message) {
        super(message);
        this.status = status;
    }

    int status() {
        return status;
    }

    /// As Docker's command line prints it.
    String forUser() {
        return "Error response from daemon: " + getMessage();
    }
}
