import java.io.IOException;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DirectMethodHandleDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.AccessFlag;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Spells out in bytecode what javac leaves to be made at run time: switches over types, and `equals`, `hashCode` and `toString` of records.
///
/// Each process would write, load and keep a few classes for each of them, with all that it takes to write classes, because
/// the class archive cannot hold them. What is written here it can.
///
/// Run by `build`: `java -cp JARS SpelledOut.java FOLDER...`, where each folder holds an unpacked jar of ours, and the jars what its classes
/// refer to.
final class SpelledOut {
    private static final ClassDesc SWITCHES = ClassDesc.of("java.lang.runtime.SwitchBootstraps");
    private static final ClassDesc RECORDS = ClassDesc.of("java.lang.runtime.ObjectMethods");
    private static final ClassDesc OBJECTS = ClassDesc.of("java.util.Objects");
    private static final ClassDesc BUILDER = ClassDesc.of("java.lang.StringBuilder");
    private static final ClassDesc OBJECT = ConstantDescs.CD_Object;
    private static final ClassDesc STRING = ConstantDescs.CD_String;
    private static final ClassDesc INT = ConstantDescs.CD_int;
    private static final ClassDesc BOOLEAN = ConstantDescs.CD_boolean;

    /// A method that takes the place of a call site.
    private record Added(String name, MethodTypeDesc type, Consumer<CodeBuilder> body) {}

    private final ClassModel model;
    private final List<Added> added = new ArrayList<>();

    private SpelledOut(ClassModel model) {
        this.model = model;
    }

    public static void main(String[] arguments) throws IOException {
        for (String folder : arguments) {
            try (var files = Files.walk(Path.of(folder))) {
                for (Path file : files.filter(file -> file.toString().endsWith(".class")).toList()) spellOut(file);
            }
        }
    }

    private static void spellOut(Path file) throws IOException {
        var rewritten = new SpelledOut(ClassFile.of().parse(file));
        byte[] bytes = rewritten.bytes();
        if (!rewritten.added.isEmpty()) Files.write(file, bytes);
    }

    private byte[] bytes() {
        return ClassFile.of().transformClass(model,
                ClassTransform.transformingMethodBodies(this::spellOut).andThen(ClassTransform.endHandler(this::addMethods)));
    }

    private void spellOut(CodeBuilder code, CodeElement element) {
        if (element instanceof InvokeDynamicInstruction site && substitute(site) instanceof Added method) {
            added.add(method);
            code.invokestatic(self(), method.name, method.type, isInterface());
        } else {
            code.with(element);
        }
    }

    private void addMethods(ClassBuilder builder) {
        for (Added method : added) {
            builder.withMethodBody(method.name, method.type, ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC | ClassFile.ACC_SYNTHETIC, method.body);
        }
    }

    /// Null where the call site is of another kind.
    private Added substitute(InvokeDynamicInstruction site) {
        ClassDesc maker = site.bootstrapMethod().owner();
        String method = site.name().stringValue();
        List<ConstantDesc> constants = site.bootstrapArgs();
        String name = method + "$" + added.size();
        MethodTypeDesc type = site.typeSymbol();
        if (maker.equals(SWITCHES) && method.equals("typeSwitch") && constants.stream().allMatch(ClassDesc.class::isInstance)) {
            return new Added(name, type, code -> typeSwitch(code, constants));
        }
        if (!maker.equals(RECORDS)) return null;
        // After the class and the components' names.
        List<DirectMethodHandleDesc> fields = constants.stream().skip(2).map(DirectMethodHandleDesc.class::cast).toList();
        return switch (method) {
            case "equals" -> new Added(name, type, code -> equals(code, fields));
            case "hashCode" -> new Added(name, type, code -> hashCode(code, fields));
            case "toString" -> new Added(name, type, code -> toString(code, fields));
            default -> throw new IllegalStateException("records have no " + method);
        };
    }

    /// `int typeSwitch(Object value, int from)`: the number of the first type from `from` on that `value` has, -1 for null.
    private static void typeSwitch(CodeBuilder code, List<ConstantDesc> types) {
        code.aload(0).ifThen(Opcode.IFNULL, none -> none.iconst_m1().ireturn());
        for (int i = 0; i < types.size(); i++) {
            int number = i;
            var next = code.newLabel();
            code.iload(1).loadConstant(number).if_icmpgt(next);
            code.aload(0).instanceOf((ClassDesc) types.get(i)).ifeq(next).loadConstant(number).ireturn().labelBinding(next);
        }
        code.loadConstant(types.size()).ireturn();
    }

    private void equals(CodeBuilder code, List<DirectMethodHandleDesc> fields) {
        var different = code.newLabel();
        code.aload(1).instanceOf(self()).ifeq(different);
        for (var field : fields) {
            ClassDesc type = type(field);
            code.aload(0).getfield(self(), field.methodName(), type);
            code.aload(1).checkcast(self()).getfield(self(), field.methodName(), type);
            if (!type.isPrimitive()) code.invokestatic(OBJECTS, "equals", MethodTypeDesc.of(BOOLEAN, OBJECT, OBJECT)).ifeq(different);
            else code.invokestatic(wrapper(type), "compare", MethodTypeDesc.of(INT, type, type)).ifne(different);
        }
        code.iconst_1().ireturn().labelBinding(different).iconst_0().ireturn();
    }

    private void hashCode(CodeBuilder code, List<DirectMethodHandleDesc> fields) {
        code.iconst_0();
        for (var field : fields) {
            ClassDesc type = type(field);
            code.bipush(31).imul().aload(0).getfield(self(), field.methodName(), type);
            if (type.isPrimitive()) code.invokestatic(wrapper(type), "hashCode", MethodTypeDesc.of(INT, type));
            else code.invokestatic(OBJECTS, "hashCode", MethodTypeDesc.of(INT, OBJECT));
            code.iadd();
        }
        code.ireturn();
    }

    private void toString(CodeBuilder code, List<DirectMethodHandleDesc> fields) {
        code.new_(BUILDER).dup().invokespecial(BUILDER, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void);
        code.loadConstant(self()).invokevirtual(ConstantDescs.CD_Class, "getSimpleName", MethodTypeDesc.of(STRING));
        append(code, STRING);
        String before = "[";
        for (var field : fields) {
            code.loadConstant(before + field.methodName() + "=");
            append(code, STRING);
            code.aload(0).getfield(self(), field.methodName(), type(field));
            append(code, appendable(type(field)));
            before = ", ";
        }
        code.loadConstant(fields.isEmpty() ? "[]" : "]");
        append(code, STRING);
        code.invokevirtual(BUILDER, "toString", MethodTypeDesc.of(STRING)).areturn();
    }

    private static void append(CodeBuilder code, ClassDesc type) {
        code.invokevirtual(BUILDER, "append", MethodTypeDesc.of(BUILDER, type));
    }

    /// `StringBuilder` would take the content of a `char[]`, where a record shows the object.
    private static ClassDesc appendable(ClassDesc type) {
        if (!type.isPrimitive()) return OBJECT;
        return type.equals(ConstantDescs.CD_byte) || type.equals(ConstantDescs.CD_short) ? INT : type;
    }

    private static ClassDesc wrapper(ClassDesc primitive) {
        return switch (TypeKind.from(primitive)) {
            case BOOLEAN -> ConstantDescs.CD_Boolean;
            case BYTE -> ConstantDescs.CD_Byte;
            case SHORT -> ConstantDescs.CD_Short;
            case CHAR -> ConstantDescs.CD_Character;
            case INT -> ConstantDescs.CD_Integer;
            case LONG -> ConstantDescs.CD_Long;
            case FLOAT -> ConstantDescs.CD_Float;
            case DOUBLE -> ConstantDescs.CD_Double;
            case REFERENCE, VOID -> throw new IllegalArgumentException(primitive.displayName());
        };
    }

    /// Of a getter, `(R)T`.
    private static ClassDesc type(DirectMethodHandleDesc field) {
        return field.invocationType().returnType();
    }

    private ClassDesc self() {
        return model.thisClass().asSymbol();
    }

    private boolean isInterface() {
        return model.flags().has(AccessFlag.INTERFACE);
    }
}
