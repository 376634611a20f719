package io.balena.engine.linux;

import com.sun.jna.Function;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import java.util.HexFormat;

/// The machine code that executes a table of system calls, in this process or in a new one that shares our memory.
///
/// It uses neither libc nor thread-local storage nor, in the new process, a stack: the child may run beside the JVM. All signals
/// are blocked around clone3(2), in one call, since a JVM thread must not run Java code with blocked signals (safepoints
/// are SIGSEGVs), and the child must never run the JVM's handlers.
///
/// ```
/// long spawn(struct clone_args *args, struct table *table)   returns the pid, or -errno
/// long run(struct table *table)                              executes the rows up to one with a negative number
///
/// struct table {
///   struct row *current;        written before each row: where a child is, or where it ended
///   sigset_t all;               every bit set
///   sigset_t saved;             the caller's mask
///   struct row {
///     long number;
///     long arguments[6];
///     long result;              -errno on failure, as the kernel returns it
///     long least;               a lower result is a failure
///     struct row *if_failed;    where to go on then; 0: exit_group(127)
///   } rows[];
/// };
/// ```
final class Trampoline {
    static final int CURRENT = 0;
    static final int ALL_SIGNALS = 8;
    static final int ROWS = 24;

    static final int ROW_BYTES = 80;
    static final int RESULT = 56;

    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;

    /// The code for one architecture.
    ///
    /// @param bytes hexadecimal, as printed by `objdump -d`
    /// @param run offset of `run` in it; `spawn` is at 0
    record Code(String bytes, int run) {
        byte[] assembled() {
            return HexFormat.of().parseHex(bytes);
        }
    }

    // syscall changes rax, rcx and r11 alone. rbx is the row, r12 the table. The child has its parent's stack pointer and never
    // uses it: it leaves by execve or exit_group.
    static Code x86_64() {
        return new Code(
            "53"                    // spawn:  push rbx
            + "4154"                //         push r12
            + "4989f4"              //         mov  r12, rsi
            + "4889fb"              //         mov  rbx, rdi
            + "bf02000000"          //         mov  edi, 2               SIG_SETMASK
            + "498d742408"          //         lea  rsi, [r12+8]         all
            + "498d542410"          //         lea  rdx, [r12+16]        saved
            + "41ba08000000"        //         mov  r10d, 8              sizeof(sigset_t)
            + "b80e000000"          //         mov  eax, 14              rt_sigprocmask
            + "0f05"                //         syscall
            + "4889df"              //         mov  rdi, rbx
            + "be58000000"          //         mov  esi, 88              sizeof(clone_args)
            + "b8b3010000"          //         mov  eax, 435             clone3
            + "0f05"                //         syscall
            + "4885c0"              //         test rax, rax
            + "7427"                //         jz   rows                 the child
            + "4889c3"              //         mov  rbx, rax
            + "bf02000000"          //         mov  edi, 2
            + "498d742410"          //         lea  rsi, [r12+16]        saved
            + "31d2"                //         xor  edx, edx
            + "41ba08000000"        //         mov  r10d, 8
            + "b80e000000"          //         mov  eax, 14              rt_sigprocmask
            + "0f05"                //         syscall
            + "4889d8"              //         mov  rax, rbx
            + "eb56"                //         jmp  leave
            + "53"                  // run:    push rbx
            + "4154"                //         push r12
            + "4989fc"              //         mov  r12, rdi
            + "498d5c2418"          // rows:   lea  rbx, [r12+24]
            + "49891c24"            // next:   mov  [r12], rbx           current
            + "488b03"              //         mov  rax, [rbx]           number
            + "4885c0"              //         test rax, rax
            + "783f"                //         js   leave
            + "488b7b08"            //         mov  rdi, [rbx+8]
            + "488b7310"            //         mov  rsi, [rbx+16]
            + "488b5318"            //         mov  rdx, [rbx+24]
            + "4c8b5320"            //         mov  r10, [rbx+32]
            + "4c8b4328"            //         mov  r8, [rbx+40]
            + "4c8b4b30"            //         mov  r9, [rbx+48]
            + "0f05"                //         syscall
            + "48894338"            //         mov  [rbx+56], rax        result
            + "483b4340"            //         cmp  rax, [rbx+64]        least
            + "7c06"                //         jl   failed
            + "4883c350"            //         add  rbx, 80
            + "ebca"                //         jmp  next
            + "488b5b48"            // failed: mov  rbx, [rbx+72]        if_failed
            + "4885db"              //         test rbx, rbx
            + "75c1"                //         jnz  next
            + "bf7f000000"          //         mov  edi, 127
            + "b8e7000000"          //         mov  eax, 231             exit_group
            + "0f05"                //         syscall
            + "415c"                // leave:  pop  r12
            + "5b"                  //         pop  rbx
            + "c3",                 //        ret
            0x5a);
    }

    // svc changes x0 alone. x9 is the row, x10 the table.
    static Code aarch64() {
        return new Code(
            word(0xaa0003e9)   // spawn:  mov  x9, x0
            + word(0xaa0103ea) //         mov  x10, x1
            + word(0xd2800040) //         mov  x0, #2                  SIG_SETMASK
            + word(0x91002141) //         add  x1, x10, #8             all
            + word(0x91004142) //         add  x2, x10, #16            saved
            + word(0xd2800103) //         mov  x3, #8                  sizeof(sigset_t)
            + word(0xd28010e8) //         mov  x8, #135                rt_sigprocmask
            + word(0xd4000001) //         svc  #0
            + word(0xaa0903e0) //         mov  x0, x9
            + word(0xd2800b01) //         mov  x1, #88                 sizeof(clone_args)
            + word(0xd2803668) //         mov  x8, #435                clone3
            + word(0xd4000001) //         svc  #0
            + word(0xb4000160) //         cbz  x0, rows                the child
            + word(0xaa0003eb) //         mov  x11, x0
            + word(0xd2800040) //         mov  x0, #2
            + word(0x91004141) //         add  x1, x10, #16            saved
            + word(0xaa1f03e2) //         mov  x2, xzr
            + word(0xd2800103) //         mov  x3, #8
            + word(0xd28010e8) //         mov  x8, #135                rt_sigprocmask
            + word(0xd4000001) //         svc  #0
            + word(0xaa0b03e0) //         mov  x0, x11
            + word(0xd65f03c0) //         ret
            + word(0xaa0003ea) // run:    mov  x10, x0
            + word(0x91006149) // rows:   add  x9, x10, #24
            + word(0xf9000149) // next:   str  x9, [x10]               current
            + word(0xf9400128) //         ldr  x8, [x9]                number
            + word(0xb7f80208) //         tbnz x8, #63, leave
            + word(0xa9408520) //         ldp  x0, x1, [x9, #8]
            + word(0xa9418d22) //         ldp  x2, x3, [x9, #24]
            + word(0xa9429524) //         ldp  x4, x5, [x9, #40]
            + word(0xd4000001) //         svc  #0
            + word(0xf9001d20) //         str  x0, [x9, #56]           result
            + word(0xf940212b) //         ldr  x11, [x9, #64]          least
            + word(0xeb0b001f) //         cmp  x0, x11
            + word(0x5400006b) //         b.lt failed
            + word(0x91014129) //         add  x9, x9, #80
            + word(0x17fffff4) //         b    next
            + word(0xf9402529) // failed: ldr  x9, [x9, #72]           if_failed
            + word(0xb5fffe49) //         cbnz x9, next
            + word(0xd2800fe0) //         mov  x0, #127
            + word(0xd2800bc8) //         mov  x8, #94                 exit_group
            + word(0xd4000001) //         svc  #0
            + word(0xd65f03c0), // leave: ret
            0x58);
    }

    /// Where the code is, in whole pages.
    static final long START;
    static final long END;
    private static final int LARGEST_PAGE = 1 << 16;

    private static final Function SPAWN;
    private static final Function RUN;

    static {
        Code code = Platform.isARM() ? aarch64() : x86_64();
        byte[] bytes = code.assembled();
        long address = map(LARGEST_PAGE);
        new Pointer(address).write(0, bytes, 0, bytes.length);
        if (ProcessLibc.mprotect(address, bytes.length, PROT_READ | PROT_EXEC) == -1) {
            throw new IllegalStateException("mprotect: errno " + Native.getLastError());
        }
        START = address;
        END = address + LARGEST_PAGE;
        SPAWN = Function.getFunction(new Pointer(address));
        RUN = Function.getFunction(new Pointer(address + code.run()));
    }

    private Trampoline() {}

    /// Where a process's memory may end at most, the highest first; on ARM the kernel's configuration decides.
    static long[] ends() {
        if (Platform.isARM()) return new long[] {1L << 52, 1L << 48, 1L << 47, 1L << 42, 1L << 39};
        return new long[] {(1L << 47) - 4096};
    }

    /// @param cloneArguments address of a `struct clone_args` of 88 bytes; its flags hold `CLONE_VM`
    /// @return the pid of the new process, or the negated errno
    static long spawn(long cloneArguments, long table) {
        return SPAWN.invokeLong(new Object[] {cloneArguments, table});
    }

    static void run(long table) {
        RUN.invokeLong(new Object[] {table});
    }

    /// Zeroed memory, given back by [#unmap].
    static long map(long bytes) {
        long address =
                ProcessLibc.mmap64(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (address == -1) throw new OutOfMemoryError("mmap of " + bytes + " bytes: errno " + Native.getLastError());
        return address;
    }

    static void unmap(long address, long bytes) {
        ProcessLibc.munmap(address, bytes);
    }

    private static String word(int instruction) {
        return HexFormat.of().toHexDigits(Integer.reverseBytes(instruction));
    }
}
