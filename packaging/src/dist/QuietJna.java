import java.io.IOException;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.Label;
import java.lang.classfile.attribute.RuntimeVisibleAnnotationsAttribute;
import java.lang.classfile.instruction.FieldInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Takes out of JNA what each start would pay for and nobody sees.
///
/// * Its log. The first logger of a program reads configurations and searches every jar for a `LoggerFinder`.
/// * Reflection on a structure of its own, of which it makes a dozen: an annotation says in which order it has its fields, and these are
///   read and written by name. For each of both the JVM would write and load classes, and load all it takes to write them.
///
/// Run by `build`: `java -cp JAR QuietJna.java FOLDER`, where the folder holds the unpacked jar. Fails if JNA has changed there.
final class QuietJna {
    private static final String LOGGING = "java/util/logging/";
    private static final ClassDesc STRUCTURE = ClassDesc.of("com.sun.jna.Structure");
    private static final ClassDesc OWN_STRUCTURE = STRUCTURE.nested("FFIType");
    private static final ClassDesc SIZE = OWN_STRUCTURE.nested("size_t");
    private static final ClassDesc POINTER = ClassDesc.of("com.sun.jna.Pointer");
    private static final Map<String, ClassDesc> FIELDS = new LinkedHashMap<>();

    static {
        FIELDS.put("size", SIZE);
        FIELDS.put("alignment", ConstantDescs.CD_short);
        FIELDS.put("type", ConstantDescs.CD_short);
        FIELDS.put("elements", POINTER);
    }

    private static final ClassDesc LIST = ClassDesc.of("java.util.List");
    private static final ClassDesc FIELD = ClassDesc.of("java.lang.reflect.Field");
    private static final MethodTypeDesc GET = MethodTypeDesc.of(ConstantDescs.CD_Object, FIELD, ConstantDescs.CD_Object);
    private static final MethodTypeDesc SET = MethodTypeDesc.of(ConstantDescs.CD_void, FIELD, ConstantDescs.CD_Object, ConstantDescs.CD_Object);

    public static void main(String[] arguments) throws IOException {
        var folder = Path.of(arguments[0]);
        List<Path> classes;
        try (var files = Files.walk(folder)) {
            classes = files.filter(file -> file.toString().endsWith(".class")).toList();
        }
        for (var file : classes) {
            ClassModel model = ClassFile.of().parse(file);
            ClassDesc name = model.thisClass().asSymbol();
            var quiet = ClassTransform.transformingMethodBodies(QuietJna::withoutLog);
            if (name.equals(OWN_STRUCTURE)) quiet = withoutAnnotation(model);
            else if (name.equals(STRUCTURE)) quiet = quiet.andThen(ClassTransform.transformingMethodBodies(QuietJna::withoutReflection));
            else if (!Files.readString(file, StandardCharsets.ISO_8859_1).contains(LOGGING)) continue;
            Files.write(file, ClassFile.of().transformClass(model, quiet));
        }
    }

    /// Every logger and level is null, and nothing is logged to them.
    private static void withoutLog(CodeBuilder code, CodeElement element) {
        switch (element) {
            case FieldInstruction field when field.owner().asInternalName().startsWith(LOGGING) -> code.aconst_null();
            case InvokeInstruction call when call.owner().asInternalName().startsWith(LOGGING) -> {
                MethodTypeDesc type = call.typeSymbol();
                switch (call.name().stringValue()) {
                    case "getLogger" -> code.pop().aconst_null();
                    case "isLoggable" -> code.pop2().iconst_0();
                    case "log" -> {
                        for (int i = 0; i <= type.parameterCount(); i++) code.pop();
                    }
                    default -> throw new IllegalStateException("JNA calls " + call.owner().asInternalName() + "." + call.name());
                }
            }
            default -> code.with(element);
        }
    }

    private static void withoutReflection(CodeBuilder code, CodeElement element) {
        if (!(element instanceof InvokeInstruction call && call.owner().asSymbol().equals(FIELD))) code.with(element);
        else if (call.name().equalsString("get")) code.invokestatic(OWN_STRUCTURE, "get", GET);
        else if (call.name().equalsString("set")) code.invokestatic(OWN_STRUCTURE, "set", SET);
        else code.with(element);
    }

    /// @see <a href="https://java-native-access.github.io/jna/5.19.1/javadoc/com/sun/jna/Structure.html">Structure, getFieldOrder()</a>
    private static ClassTransform withoutAnnotation(ClassModel model) {
        model.findAttribute(Attributes.runtimeVisibleAnnotations()).orElseThrow(() -> new IllegalStateException("JNA's structure has no annotation"));
        return ClassTransform.dropping(RuntimeVisibleAnnotationsAttribute.class::isInstance).andThen(ClassTransform.endHandler(type -> {
            type.withMethodBody("getFieldOrder", MethodTypeDesc.of(LIST), ClassFile.ACC_PROTECTED, QuietJna::fieldOrder);
            type.withMethodBody("get", GET, ClassFile.ACC_STATIC, QuietJna::get);
            type.withMethodBody("set", SET, ClassFile.ACC_STATIC, QuietJna::set);
        }));
    }

    private static void fieldOrder(CodeBuilder code) {
        FIELDS.keySet().forEach(code::loadConstant);
        code.invokestatic(LIST, "of", MethodTypeDesc.of(LIST, Collections.nCopies(FIELDS.size(), ConstantDescs.CD_Object)), true).areturn();
    }

    /// `Object get(Field field, Object structure)`, by reflection only if the structure is of another type.
    private static void get(CodeBuilder code) {
        FIELDS.forEach((name, type) -> {
            Label next = unlessNamed(code, name);
            code.aload(1).checkcast(OWN_STRUCTURE).getfield(OWN_STRUCTURE, name, type);
            if (type.isPrimitive()) code.invokestatic(ConstantDescs.CD_Short, "valueOf", MethodTypeDesc.of(ConstantDescs.CD_Short, type));
            code.areturn().labelBinding(next);
        });
        code.aload(0).aload(1).invokevirtual(FIELD, "get", GET.dropParameterTypes(0, 1)).areturn();
    }

    /// `void set(Field field, Object structure, Object value)`
    private static void set(CodeBuilder code) {
        FIELDS.forEach((name, type) -> {
            Label next = unlessNamed(code, name);
            code.aload(1).checkcast(OWN_STRUCTURE).aload(2);
            if (type.isPrimitive()) code.checkcast(ConstantDescs.CD_Short).invokevirtual(ConstantDescs.CD_Short, "shortValue", MethodTypeDesc.of(type));
            else code.checkcast(type);
            code.putfield(OWN_STRUCTURE, name, type).return_().labelBinding(next);
        });
        code.aload(0).aload(1).aload(2).invokevirtual(FIELD, "set", SET.dropParameterTypes(0, 1)).return_();
    }

    private static Label unlessNamed(CodeBuilder code, String name) {
        Label next = code.newLabel();
        code.aload(1).instanceOf(OWN_STRUCTURE).ifeq(next);
        code.aload(0).invokevirtual(FIELD, "getName", MethodTypeDesc.of(ConstantDescs.CD_String)).loadConstant(name);
        code.invokevirtual(ConstantDescs.CD_String, "equals", MethodTypeDesc.of(ConstantDescs.CD_boolean, ConstantDescs.CD_Object)).ifeq(next);
        return next;
    }
}
