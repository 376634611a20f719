package io.balena.engine.daemon.http;

import io.netty.util.internal.logging.AbstractInternalLogger;
import io.netty.util.internal.logging.FormattingTuple;
import io.netty.util.internal.logging.InternalLogger;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.MessageFormatter;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;

/// Leads Netty's own log to ours. Left alone it looks for slf4j and log4j and ends at java.util.logging.
final class NettyLog extends AbstractInternalLogger {
    private static final long serialVersionUID = 1L;

    private final transient Logger log;

    private NettyLog(String name) {
        super(name);
        log = System.getLogger(name);
    }

    static void use() {
        InternalLoggerFactory.setDefaultFactory(new InternalLoggerFactory() {
            @Override
            protected InternalLogger newInstance(String name) {
                return new NettyLog(name);
            }
        });
    }

    // Netty tells much at level debug while it starts; that is its own affair.
    private void log(Level level, String message, Throwable thrown) {
        log.log(level == Level.DEBUG ? Level.TRACE : level, message, thrown);
    }

    private void log(Level level, FormattingTuple message) {
        log(level, message.getMessage(), message.getThrowable());
    }

    @Override
    public boolean isTraceEnabled() {
        return log.isLoggable(Level.TRACE);
    }

    @Override
    public void trace(String message) {
        log(Level.TRACE, message, null);
    }

    @Override
    public void trace(String format, Object a) {
        if (isTraceEnabled()) log(Level.TRACE, MessageFormatter.format(format, a));
    }

    @Override
    public void trace(String format, Object a, Object b) {
        if (isTraceEnabled()) log(Level.TRACE, MessageFormatter.format(format, a, b));
    }

    @Override
    public void trace(String format, Object... all) {
        if (isTraceEnabled()) log(Level.TRACE, MessageFormatter.arrayFormat(format, all));
    }

    @Override
    public void trace(String message, Throwable thrown) {
        log(Level.TRACE, message, thrown);
    }

    @Override
    public boolean isDebugEnabled() {
        return log.isLoggable(Level.TRACE);
    }

    @Override
    public void debug(String message) {
        log(Level.DEBUG, message, null);
    }

    @Override
    public void debug(String format, Object a) {
        if (isDebugEnabled()) log(Level.DEBUG, MessageFormatter.format(format, a));
    }

    @Override
    public void debug(String format, Object a, Object b) {
        if (isDebugEnabled()) log(Level.DEBUG, MessageFormatter.format(format, a, b));
    }

    @Override
    public void debug(String format, Object... all) {
        if (isDebugEnabled()) log(Level.DEBUG, MessageFormatter.arrayFormat(format, all));
    }

    @Override
    public void debug(String message, Throwable thrown) {
        log(Level.DEBUG, message, thrown);
    }

    @Override
    public boolean isInfoEnabled() {
        return log.isLoggable(Level.INFO);
    }

    @Override
    public void info(String message) {
        log(Level.INFO, message, null);
    }

    @Override
    public void info(String format, Object a) {
        if (isInfoEnabled()) log(Level.INFO, MessageFormatter.format(format, a));
    }

    @Override
    public void info(String format, Object a, Object b) {
        if (isInfoEnabled()) log(Level.INFO, MessageFormatter.format(format, a, b));
    }

    @Override
    public void info(String format, Object... all) {
        if (isInfoEnabled()) log(Level.INFO, MessageFormatter.arrayFormat(format, all));
    }

    @Override
    public void info(String message, Throwable thrown) {
        log(Level.INFO, message, thrown);
    }

    @Override
    public boolean isWarnEnabled() {
        return log.isLoggable(Level.WARNING);
    }

    @Override
    public void warn(String message) {
        log(Level.WARNING, message, null);
    }

    @Override
    public void warn(String format, Object a) {
        if (isWarnEnabled()) log(Level.WARNING, MessageFormatter.format(format, a));
    }

    @Override
    public void warn(String format, Object a, Object b) {
        if (isWarnEnabled()) log(Level.WARNING, MessageFormatter.format(format, a, b));
    }

    @Override
    public void warn(String format, Object... all) {
        if (isWarnEnabled()) log(Level.WARNING, MessageFormatter.arrayFormat(format, all));
    }

    @Override
    public void warn(String message, Throwable thrown) {
        log(Level.WARNING, message, thrown);
    }

    @Override
    public boolean isErrorEnabled() {
        return log.isLoggable(Level.ERROR);
    }

    @Override
    public void error(String message) {
        log(Level.ERROR, message, null);
    }

    @Override
    public void error(String format, Object a) {
        if (isErrorEnabled()) log(Level.ERROR, MessageFormatter.format(format, a));
    }

    @Override
    public void error(String format, Object a, Object b) {
        if (isErrorEnabled()) log(Level.ERROR, MessageFormatter.format(format, a, b));
    }

    @Override
    public void error(String format, Object... all) {
        if (isErrorEnabled()) log(Level.ERROR, MessageFormatter.arrayFormat(format, all));
    }

    @Override
    public void error(String message, Throwable thrown) {
        log(Level.ERROR, message, thrown);
    }
}
