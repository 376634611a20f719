package io.balena.engine.packaging;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/// Gives tests the one pair of engines without flags that all share, with the image `busybox`; it is started for the first and stopped
/// after the last. Each test's containers and volumes are removed after it.
final class SharedSideBySide implements BeforeAllCallback, AfterEachCallback, ParameterResolver {
    private static final Namespace OWN = Namespace.create(SharedSideBySide.class);

    /// A reason to skip counts as such only here; where parameters are resolved it would be a failure.
    @Override public void beforeAll(ExtensionContext context) {
        Engine.assumeRunnable();
        BusyboxImage.assumePossible();
    }

    @Override public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == SideBySide.class;
    }

    @Override public SideBySide resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return context.getRoot().getStore(OWN).computeIfAbsent(SideBySide.class, _ -> {
            var engines = SideBySide.start();
            BusyboxImage.importInto(engines.ours);
            BusyboxImage.importInto(engines.theirs);
            return engines;
        }, SideBySide.class);
    }

    @Override public void afterEach(ExtensionContext context) {
        var engines = context.getRoot().getStore(OWN).get(SideBySide.class, SideBySide.class);
        if (engines == null) return;
        for (var engine : new Engine[] {engines.ours, engines.theirs}) {
            SideBySide.shell(engine, "ids=$(docker ps -aq); [ -z \"$ids\" ] || docker rm -fv $ids; docker volume prune -f").succeeded();
        }
    }
}
