package io.balena.engine.runtime.process;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Gate;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.SyscallProgram;
import java.io.IOException;
import java.util.Optional;

/// A child that has not executed its program yet.
public final class WaitingProcess implements AutoCloseable {
    private static final int SIGKILL = 9;

    private final SyscallProgram program;
    private final ProcessSetup setup;
    private final Gate gate;
    private PidFd child;

    public WaitingProcess(SyscallProgram program, ProcessSetup setup, Gate gate, PidFd child) {
        this.program = program;
        this.setup = setup;
        this.gate = gate;
        this.child = child;
    }

    /// Waits until the child has been followed by another process, which is the child from then on.
    ///
    /// @param successor from [SyscallProgram#addSuccessor]
    /// @throws ContainerFailure when a row of its program failed
    public void awaitSuccessor(long successor) throws IOException {
        child.awaitEnded(-1);
        PidFd next = program.successor(successor).orElseThrow(setup::failure);
        child.awaitEnd();
        child.close();
        child = next;
    }

    /// Waits at the gate before the child leaves the host's files, and lets it pass when `work` was done.
    ///
    /// @throws ContainerFailure when a row of its program failed
    public void meanwhile(Work work) throws IOException {
        if (!gate.awaitReport()) throw setup.failure();
        work.run();
        gate.pass();
    }

    public interface Work {
        void run() throws IOException;
    }

    public PidFd child() {
        return child;
    }

    /// Waits until the child is set up but for its last steps.
    ///
    /// @throws ContainerFailure when a row of its program failed
    public void awaitReady() throws IOException {
        if (!gate.awaitReport()) throw setup.failure();
        setup.limitResources(child.pid());
        setup.chooseExecutable();
    }

    /// Lets the child execute its program.
    ///
    /// @throws ContainerFailure when that failed; the child has ended then
    public void execute() throws IOException {
        gate.pass();
        gate.awaitExecution();
        setup.checkExecuted();
        setup.adjustOomScore(child.pid());
    }

    /// As [#execute], by the successor of the child, which is the child from then on.
    ///
    /// @param successor from [ProcessSetup#addExecuteApart]
    public void execute(long successor) throws IOException {
        gate.pass();
        try {
            gate.awaitExecution();
            awaitSuccessor(successor);
        } catch (ErrnoException e) {
            Optional<PidFd> failed = program.successor(successor);
            if (failed.isPresent()) reap(failed.get());
            throw ProcessSetup.reported(e);
        }
        setup.adjustOomScore(child.pid());
    }

    private static void reap(PidFd ended) throws IOException {
        try (ended) {
            ended.awaitEnd();
        }
    }

    /// Sends the child on to a gate with a name, where it needs nobody of us any more. Its memory stays its own for as long as we live.
    ///
    /// @throws ContainerFailure when it has ended
    public void leave() throws IOException {
        gate.pass();
        gate.awaitReport();
        if (child.awaitEnded(0)) throw setup.failure();
        gate.close();
    }

    /// Ends the child, frees its number and forgets it.
    public void abandon() throws IOException {
        kill();
        child.awaitEnd();
        child.close();
        close();
    }

    /// Ends the child, which others know and will reap.
    public void end() throws IOException {
        kill();
        child.awaitEnded(-1);
        close();
    }

    private void kill() {
        try {
            child.signal(SIGKILL);
        } catch (IOException _) {
            // it has ended
        }
    }

    /// Gives back what only a waiting child needs, once it waits no more.
    @Override
    public void close() {
        gate.close();
        // Its memory is the child's, too, until it has executed its program or ended.
        program.close();
    }
}
