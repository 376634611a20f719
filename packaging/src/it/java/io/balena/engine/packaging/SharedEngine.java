package io.balena.engine.packaging;

import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/// Gives tests the one engine that all share, with the image `busybox`; it is started for the first and stopped after
/// the last. Tests that harm an engine start their own.
final class SharedEngine implements BeforeAllCallback, ParameterResolver {
    /// A reason to skip counts as such only here; where parameters are resolved it would be a failure.
    @Override public void beforeAll(ExtensionContext context) {
        Engine.assumeRunnable();
        BusyboxImage.assumePossible();
    }

    private record Started(Engine engine) implements AutoCloseable {
        @Override public void close() {
            engine.close();
        }
    }

    @Override public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == Engine.class;
    }

    @Override public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return context.getRoot().getStore(Namespace.create(SharedEngine.class))
                .computeIfAbsent("engine", _ -> {
                    var engine = Engine.start();
                    BusyboxImage.importInto(engine);
                    return new Started(engine);
                }, Started.class).engine;
    }
}
