package io.balena.engine.linux;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class NetlinkMessageTest {
    @Test
    void attributesArePaddedToFourBytesAndReadBack() {
        var message = new NetlinkMessage(16, 0).linkHeader(0, 7, 1, 1);
        message.attribute(3, "eth0").attribute(4, 1500).nested(18, () -> message.attribute(1, "veth").attribute(4, (byte) 1));
        byte[] bytes = message.finish(9);
        var buffer = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        assertEquals(bytes.length, buffer.getInt());
        assertEquals(16, buffer.getShort());
        assertEquals(NetlinkMessage.NLM_F_REQUEST, buffer.getShort());
        assertEquals(9, buffer.getInt());
        assertEquals(0, bytes.length % 4);
        var attributes = NetlinkAttributes.parse(buffer.position(32));
        assertEquals("eth0", attributes.string(3));
        assertEquals(1500, attributes.integer(4, 0));
        assertEquals("veth", attributes.nested(18).string(1));
        assertArrayEquals(new byte[] {1}, attributes.nested(18).bytes(4));
        assertNull(attributes.bytes(5));
        assertEquals(-1, attributes.integer(5, -1));
    }

    @Test
    void aLengthThatLeadsBeyondTheBufferEndsTheReading() {
        var buffer = ByteBuffer.allocate(12).order(ByteOrder.nativeOrder());
        buffer.putShort((short) 5).putShort((short) 1).put(new byte[] {42, 0, 0, 0}).putShort((short) 40).putShort((short) 2).flip();
        var attributes = NetlinkAttributes.parse(buffer);
        assertArrayEquals(new byte[] {42}, attributes.bytes(1));
        assertNull(attributes.bytes(2));
        assertNull(NetlinkAttributes.parse(ByteBuffer.wrap(new byte[] {0, 0, 1, 0})).bytes(1));
    }

    @Test
    void hardwareAddressesAreReadStrictly() {
        assertEquals("02:42:ac:11:00:02", MacAddress.parse("02:42:AC:11:00:02").toString());
        for (String wrong : new String[] {"", "02:42:ac:11:00", "02-42-ac-11-00-02", "02:42:ac:11:00:0g", "02:42:ac:11:00:02:"}) {
            assertThrows(IllegalArgumentException.class, () -> MacAddress.parse(wrong), wrong);
        }
    }
}
