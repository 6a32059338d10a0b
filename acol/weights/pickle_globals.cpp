// The names that a pickle may use, and what becomes of them.
#include <algorithm>
#include <array>
#include <limits>

#include "acol/weights/unpickler.h"
#include "tensor/safetensors_header.h"  // shown()

namespace acol {

namespace {

constexpr std::size_t rank_limit = 8;    // PyTorch allows 64; no layer here has more than 4
constexpr std::size_t name_limit = 200;  // characters of a storage's key

struct StorageType {
  const char* name;
  const char* dtype;
};
constexpr StorageType storage_types[] = {{"FloatStorage", "F32"},     {"DoubleStorage", "F64"}, {"HalfStorage", "F16"},
                                         {"BFloat16Storage", "BF16"}, {"LongStorage", "I64"},   {"IntStorage", "I32"},
                                         {"ShortStorage", "I16"},     {"CharStorage", "I8"},    {"ByteStorage", "U8"},
                                         {"BoolStorage", "BOOL"}};

// Known to be in checkpoints and of no use here. They stay Kind::other, with whatever is done to them.
bool is_inert(const std::string& name) {
  static constexpr std::array inert{"argparse.Namespace",
                                    "torch.device",
                                    "_codecs.encode",
                                    "numpy.core.multiarray.scalar",
                                    "numpy._core.multiarray.scalar",
                                    "numpy.dtype",
                                    "torch.float32",
                                    "torch.float64",
                                    "torch.float16",
                                    "torch.bfloat16",
                                    "torch.int64",
                                    "torch.bool"};
  for (const char* known : inert)
    if (name == known) return true;
  // NumPy 2 names the types of scalars.
  return name.starts_with("numpy.dtypes.") && name.find('.', 13) == std::string::npos;
}

bool is_dict(const std::string& name) {
  return name == "collections.OrderedDict" || name == "collections.Counter" || name == "collections.defaultdict";
}

bool is_set(const std::string& name) { return name == "builtins.set" || name == "__builtin__.set"; }

// Factories of defaultdict.
bool is_builtin_type(const std::string& name) {
  for (const char* module : {"builtins.", "__builtin__."})
    for (const char* type : {"dict", "list", "int", "float"})
      if (name == std::string(module) + type) return true;
  return false;
}

bool is_tensor(const std::string& name) {
  return name == "torch._utils._rebuild_tensor" || name == "torch._utils._rebuild_tensor_v2";
}

bool is_parameter(const std::string& name) { return name == "torch._utils._rebuild_parameter"; }

}  // namespace

std::string dtype_of_storage(const std::string& global) {
  for (const StorageType& type : storage_types)
    for (const char* module : {"torch.", "torch.cuda."})
      if (global == std::string(module) + type.name) return type.dtype;
  return "";
}

void Unpickler::push_global(const std::string& module, const std::string& name) {
  const std::string full = module.substr(0, name_limit) + "." + name.substr(0, name_limit);
  const bool known = is_inert(full) || is_dict(full) || is_set(full) || is_builtin_type(full) || is_tensor(full) ||
                     is_parameter(full) || full == "torch.Size" || !dtype_of_storage(full).empty();
  const bool whole_module = module.starts_with("torch.nn.") || module.starts_with("torchvision.") ||
                            module.starts_with("timm.") || module == "__main__";
  check(known, file_, ": the pickle asks for ", shown(full),
        ", which is not a tensor or container; nothing was executed",
        whole_module ? ". Save the state_dict() of a module instead of the module" : "");
  push_new(Kind::global).text = full;
}

std::int64_t Unpickler::count_of(const PickleValue& value, const char* what) const {
  check_here(value.kind == Kind::integer && value.integer >= 0, what, " must be a whole number of 0 or more");
  return value.integer;
}

std::vector<std::int64_t> Unpickler::counts_of(const PickleValue& value, const char* what) const {
  check_here(value.kind == Kind::tuple || value.kind == Kind::list, what, " of a tensor must be a tuple");
  check_here(value.items.size() <= rank_limit, "a tensor with ", value.items.size(), " extents, at most ", rank_limit,
             " are read");
  std::vector<std::int64_t> counts;
  for (const PickleValue* item : value.items) counts.push_back(count_of(*item, what));
  return counts;
}

// ("storage", type, key, location, count) and, in legacy files, None or the view (key, offset, count).
void Unpickler::persistent() {
  const PickleValue& id = pop();
  const bool is_tuple = id.kind == Kind::tuple && !id.items.empty() && id.items[0]->kind == Kind::text;
  check_here(!is_tuple || id.items[0]->text != "module",
             "it holds a whole module with its source code; save its state_dict() instead");
  check_here(is_tuple && id.items[0]->text == "storage" && (id.items.size() == 5 || id.items.size() == 6) &&
                 id.items[1]->kind == Kind::global && id.items[2]->kind == Kind::text,
             "it refers to something that is no storage of a tensor");
  PickleStorage storage;
  storage.dtype = dtype_of_storage(id.items[1]->text);
  storage.key = id.items[2]->text.substr(0, name_limit);
  check_here(!storage.dtype.empty(), "storages of type ", shown(id.items[1]->text), " cannot be read");
  check_here(id.items[2]->text.size() <= name_limit, "a storage's name of ", id.items[2]->text.size(), " characters");
  storage.count = count_of(*id.items[4], "the size of a storage");
  check_here(storage.count <= std::numeric_limits<std::int64_t>::max() / 8, "a storage of ", storage.count, " numbers");

  const auto [found, is_new] = storage_numbers_.try_emplace(storage.key, result_.storages_.size());
  if (is_new) {
    result_.storages_.push_back(storage);
  } else {
    const PickleStorage& first = result_.storages_[found->second];
    check_here(first.dtype == storage.dtype && first.count == storage.count, "storage ", shown(storage.key), " is ",
               first.count, " numbers of ", first.dtype, " in one place and ", storage.count, " of ", storage.dtype,
               " in another");
  }
  if (id.items.size() == 6 && id.items[5]->kind != Kind::none) {
    const PickleValue& view = *id.items[5];
    check_here(view.kind == Kind::tuple && view.items.size() == 3, "a view of a storage must be a key and two numbers");
    storage.offset = count_of(*view.items[1], "the offset of a view");
    storage.view = count_of(*view.items[2], "the size of a view");
    check_here(storage.offset <= storage.count && storage.view <= storage.count - storage.offset, "a view of storage ",
               shown(storage.key), " reaches beyond its ", storage.count, " numbers");
  }
  spend(8);  // it is larger than other values
  push_new(Kind::storage).tensor.push_back({std::move(storage), 0, {}, {}});
}

// (storage, offset, shape, strides, ...)
void Unpickler::make_tensor(const PickleValue& arguments) {
  check_here(arguments.items.size() >= 4 && arguments.items[0]->kind == Kind::storage,
             "a tensor needs a storage, an offset, a shape and strides");
  PickleTensor tensor;
  tensor.storage = arguments.items[0]->tensor.front().storage;
  tensor.offset = count_of(*arguments.items[1], "the offset of a tensor");
  tensor.shape = counts_of(*arguments.items[2], "the shape");
  tensor.strides = counts_of(*arguments.items[3], "the strides");
  check_here(tensor.shape.size() == tensor.strides.size(), "a tensor with ", tensor.shape.size(), " extents and ",
             tensor.strides.size(), " strides");

  const std::int64_t available = tensor.storage.view >= 0 ? tensor.storage.view : tensor.storage.count;
  std::int64_t elements = 1, last = tensor.offset;  // last: index of the last number in the storage
  bool overflow = false, empty = false;
  for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    const std::int64_t extent = tensor.shape[axis];
    std::int64_t step = 0;
    empty |= extent == 0;
    // Without regard to zeros, so that no product of some of the extents overflows later.
    overflow |= __builtin_mul_overflow(elements, std::max<std::int64_t>(1, extent), &elements);
    overflow |= __builtin_mul_overflow(std::max<std::int64_t>(1, extent) - 1, tensor.strides[axis], &step);
    overflow |= __builtin_add_overflow(last, step, &last);
  }
  const bool beyond = overflow || (!empty && last >= available);
  // Memory for a tensor is bounded by the size of its file.
  if (beyond || (!empty && elements > available)) {
    std::string shape;
    for (const std::int64_t extent : tensor.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(extent);
    fail_here("a tensor of shape (", shape, ") in storage ", shown(tensor.storage.key),
              beyond ? " reaches beyond its " : " repeats its ", available, " numbers",
              beyond ? "" : " (torch's expand()); save it with .contiguous()");
  }
  spend(8);
  push_new(Kind::tensor).tensor.push_back(std::move(tensor));
}

// OrderedDict(), OrderedDict([[key, value], ...]) (Python 2), Counter({...}), defaultdict(factory).
void Unpickler::make_dict(const PickleValue& arguments) {
  PickleValue& dict = push_new(Kind::dict);
  if (arguments.items.empty()) return;
  const PickleValue& content = *arguments.items[0];
  if (content.kind == Kind::global || content.kind == Kind::none) return;
  spend(static_cast<std::int64_t>(content.items.size()));  // they are copied
  if (content.kind == Kind::dict) {
    for (const PickleValue* item : content.items) hold(dict, *item);
    return;
  }
  check_here(content.kind == Kind::list || content.kind == Kind::tuple, "a dictionary of something that is no list");
  for (const PickleValue* pair : content.items) {
    check_here((pair->kind == Kind::list || pair->kind == Kind::tuple) && pair->items.size() == 2,
               "a dictionary of something else than pairs");
    for (const PickleValue* item : pair->items) hold(dict, *item);
  }
}

void Unpickler::make_set(const PickleValue& arguments) {
  PickleValue& set = push_new(Kind::set);
  if (arguments.items.empty()) return;
  spend(static_cast<std::int64_t>(arguments.items[0]->items.size()));
  for (const PickleValue* item : arguments.items[0]->items) hold(set, *item);
}

void Unpickler::call() {
  const PickleValue &arguments = pop(), &callee = pop();
  check_here(arguments.kind == Kind::tuple, "arguments that are no tuple");
  check_here(callee.kind == Kind::global, "it calls something that has no name");
  const std::string& name = callee.text;
  if (is_dict(name)) return make_dict(arguments);
  if (is_set(name)) return make_set(arguments);
  if (is_tensor(name)) return make_tensor(arguments);
  if (is_parameter(name)) {
    check_here(!arguments.items.empty() && arguments.items[0]->kind == Kind::tensor, "a parameter without a tensor");
    return push(*arguments.items[0]);
  }
  if (name == "torch.Size") {
    check_here(arguments.items.size() == 1 && arguments.items[0]->is_container(), "torch.Size of no tuple");
    return push(*arguments.items[0]);
  }
  check_here(is_inert(name), "it calls ", shown(name), ", which makes no tensor or container; nothing was executed");
  push_new(Kind::other).text = name;
}

// Attributes of an object: `_metadata` of a state dict, the settings of a Namespace. None is of use.
void Unpickler::build() {
  pop();
  const PickleValue& object = pop();
  check_here(object.kind == Kind::dict || object.kind == Kind::other || object.kind == Kind::tensor,
             "it sets attributes of something that has none");
  push(object);
}

}  // namespace acol
