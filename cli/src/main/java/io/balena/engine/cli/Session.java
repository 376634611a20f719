package io.balena.engine.cli;

import java.util.List;
import java.util.function.Consumer;

/// What every command needs: the engine, and where to read and print.
record Session(EngineClient engine, Console console) {

    /// Does the same to several things; one failure does not keep the others from being tried.
    ///
    /// @return exit status: 1 if any failed
    int forEach(List<String> names, Consumer<String> action) {
        int status = 0;
        for (var name : names) {
            try {
                action.accept(name);
            } catch (ApiException e) {
                console.out().flush();
                console.err().println(e.forUser());
                status = 1;
            }
        }
        return status;
    }

    /// The same, printing each name when it is done.
    int printEach(List<String> names, Consumer<String> action) {
        return forEach(names, name -> {
            action.accept(name);
            console.out().println(name);
        });
    }
}
