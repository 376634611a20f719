package io.balena.engine.daemon;

import java.lang.System.Logger;

/// Makes `System.getLogger` give [LogfmtLogger]s, so that java.util.logging is never loaded.
public final class LogfmtLoggerFinder extends System.LoggerFinder {
    @Override
    public Logger getLogger(String name, Module module) {
        return new LogfmtLogger(name);
    }
}
