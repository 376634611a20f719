package io.balena.engine.daemon;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;

/// Makes `System.getLogger` give [LogfmtLogger]s, so that java.util.logging is never loaded.
public final class LogfmtLoggerFinder extends System.LoggerFinder {
    @Override
    public Logger getLogger(String name, Module module) {
        // The platform's own debug lines (each call of System.exit, each HTTP frame) would drown ours.
        return new LogfmtLogger(name, module.getLayer() == ModuleLayer.boot() && module.isNamed() ? Level.WARNING : Level.ALL);
    }
}
