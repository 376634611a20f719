package io.balena.engine.runtime.loop;

import java.time.Instant;

/// The time as Go writes it (RFC3339Nano, UTC): `2026-11-22T13:25:10.27228074Z`, without trailing zeros.
///
/// A formatter of java.time would load a hundred classes, and parse its pattern in the interpreter.
public final class LogClock {
    private long second = Long.MIN_VALUE;
    private final byte[] text = new byte[30];

    byte[] now() {
        Instant now = Instant.now();
        return format(now.getEpochSecond(), now.getNano());
    }

    public byte[] format(long epochSecond, int nanos) {
        if (epochSecond != second) {
            writeSecond(epochSecond);
            second = epochSecond;
        }
        int end = 19;
        if (nanos != 0) {
            text[19] = '.';
            int digits = nanos;
            end = 20;
            for (int i = 28; i > 19; i--) {
                text[i] = (byte) ('0' + digits % 10);
                if (end == 20 && text[i] != '0') end = i + 1;
                digits /= 10;
            }
        }
        byte[] result = new byte[end + 1];
        System.arraycopy(text, 0, result, 0, end);
        result[end] = 'Z';
        return result;
    }

    private void writeSecond(long epochSecond) {
        long days = Math.floorDiv(epochSecond, 86_400L);
        int time = (int) Math.floorMod(epochSecond, 86_400L);
        // Years begin in March here, so that the leap day is the last: see "chrono-Compatible Low-Level Date Algorithms".
        long shifted = days + 719_468;
        long era = Math.floorDiv(shifted, 146_097L);
        int dayOfEra = (int) (shifted - era * 146_097);
        int yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        int dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        int marchMonth = (5 * dayOfYear + 2) / 153;
        int day = dayOfYear - (153 * marchMonth + 2) / 5 + 1;
        int month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
        int year = (int) (yearOfEra + era * 400) + (month <= 2 ? 1 : 0);
        number(0, 4, year, '-');
        number(5, 2, month, '-');
        number(8, 2, day, 'T');
        number(11, 2, time / 3600, ':');
        number(14, 2, time / 60 % 60, ':');
        number(17, 2, time % 60, '.');
    }

    private void number(int at, int digits, int value, char then) {
        int rest = value;
        for (int i = at + digits - 1; i >= at; i--) {
            text[i] = (byte) ('0' + rest % 10);
            rest /= 10;
        }
        text[at + digits] = (byte) then;
    }
}
