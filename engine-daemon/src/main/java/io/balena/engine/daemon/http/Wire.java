package io.balena.engine.daemon.http;

import io.netty.channel.Channel;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.DuplexChannel;

/// What lies between a socket and HTTP: nothing, or TLS.
interface Wire {
    /// Bytes as they are.
    Wire PLAIN = new Wire() {
        @Override
        public void install(ChannelPipeline pipeline) {}

        @Override
        public void endOutput(Channel channel) {
            if (channel instanceof DuplexChannel socket) socket.shutdownOutput();
            else channel.close();
        }
    };

    /// Adds what it needs, before HTTP is added.
    void install(ChannelPipeline pipeline);

    /// Lets the client read the end of what was sent to it; it may go on sending.
    void endOutput(Channel channel);
}
