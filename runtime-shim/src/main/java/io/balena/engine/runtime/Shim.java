package io.balena.engine.runtime;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;

/// The daemon's side of the shim: one process that owns all containers and outlives the daemon.
///
/// Methods block and may be called by many (virtual) threads at once.
public final class Shim implements AutoCloseable {
    /// Connects to the shim of `execRoot`, or starts one there that adopts what an earlier one left running.
    ///
    /// @param execRoot e.g. `/run/balena-engine`; holds the socket and the runtime state
    /// @param events called for everything that happens from now on, and for exits the last daemon has not acknowledged by `delete`;
    ///     on one thread, in order
    public static Shim connect(Path execRoot, ShimCommand command, Consumer<ShimEvent> events) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// All containers the shim has, also those that ended and were not deleted, by id.
    public Map<String, ContainerState> list() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Sets a container up, up to the point before its program starts. Its network namespace exists when this returns.
    ///
    /// @param bundle folder with an OCI `config.json`
    /// @return pid of its first process in the host's pid namespace
    /// @throws ContainerFailure when it cannot be set up; nothing is left behind
    public int create(String containerId, Path bundle, Stdio stdio) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Lets the program of a created container run. Returns when execve(2) has succeeded.
    ///
    /// @throws ContainerFailure when execve failed; the container is then stopped, to be deleted
    public void start(String containerId) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Runs another program in a running container. Returns when execve(2) has succeeded.
    ///
    /// @param processJson the `process` object of the OCI runtime-spec
    /// @return its pid in the host's pid namespace
    public int exec(ProcessKey process, byte[] processJson, Stdio stdio) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Attaches to the streams of a process; before its start nothing is missed.
    public AttachedStream attach(ProcessKey process, boolean stdin, boolean stdout, boolean stderr) throws IOException {
        throw new UnsupportedOperationException();
    }

    public void resize(ProcessKey process, int rows, int columns) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Sends a signal to a process.
    ///
    /// @param signal its Linux number
    public void kill(ProcessKey process, int signal) throws IOException {
        throw new UnsupportedOperationException();
    }

    public void pause(String containerId) throws IOException {
        throw new UnsupportedOperationException();
    }

    public void resume(String containerId) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Forgets a stopped container or exec: its cgroups and runtime state are removed and its exit is acknowledged. Everything it
    /// wrote is in the log by then.
    public void delete(ProcessKey process) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Ends the connection; the shim and its containers go on.
    @Override
    public void close() {}
}
