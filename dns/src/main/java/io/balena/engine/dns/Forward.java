package io.balena.engine.dns;

import java.io.IOException;
import java.util.List;

/// A question on its way to the servers, one after the other, until one answers.
abstract class Forward {
    /// As Docker's.
    private static final long PATIENCE_MILLIS = 4000;
    /// As with Docker, further ones are not asked.
    private static final int MOST_SERVERS = 3;
    static final int PORT = 53;

    interface Asker {
        /// @param answer with the number of the question
        void answer(byte[] answer);
    }

    private final DnsQuery query;
    private final List<ContainerNames.Server> servers;
    private final SocketLoop loop;
    private final Asker asker;
    private SocketLoop.Moment deadline;
    private byte[] refusal;
    private int next;
    private boolean ended;

    Forward(DnsQuery query, List<ContainerNames.Server> servers, SocketLoop loop, Asker asker) {
        this.query = query;
        this.servers = servers;
        this.loop = loop;
        this.asker = asker;
    }

    /// Sends `question` to `server`, from a socket of its own.
    abstract void ask(ContainerNames.Server server, byte[] question) throws IOException;

    /// Closes what [#ask] has opened.
    abstract void giveUp();

    /// What nobody who has not seen the question can know.
    private int number;

    final void begin(KernelRandom random) {
        number = random.next();
        tryNext();
    }

    final void tryNext() {
        giveUp();
        if (deadline != null) deadline.callOff();
        while (!ended && next < Math.min(servers.size(), MOST_SERVERS)) {
            try {
                ask(servers.get(next++), numbered(query.message(), number >> 8, number));
                deadline = loop.after(PATIENCE_MILLIS, this::tryNext);
                return;
            } catch (IOException e) {
                giveUp(); // it cannot be reached from here; the next one may
            }
        }
        end(refusal != null ? refusal : DnsReply.failure(query, DnsReply.SERVER_FAILURE));
    }

    /// Something came from the server that was asked last.
    final void heard(byte[] answer) {
        if (!query.isAnsweredBy(answer) || DnsQuery.number(answer, 0) != number) return;
        byte[] own = numbered(answer, query.message()[0], query.message()[1]);
        int code = own[3] & 0xf;
        if (code == DnsReply.SERVER_FAILURE || code == DnsReply.REFUSED) {
            refusal = own;
            tryNext();
        } else {
            end(own);
        }
    }

    private void end(byte[] answer) {
        if (ended) return;
        stop();
        asker.answer(answer);
    }

    /// Nobody waits for the answer any more.
    final void stop() {
        ended = true;
        if (deadline != null) deadline.callOff();
        giveUp();
    }

    private static byte[] numbered(byte[] message, int high, int low) {
        byte[] copy = message.clone();
        copy[0] = (byte) high;
        copy[1] = (byte) low;
        return copy;
    }
}
