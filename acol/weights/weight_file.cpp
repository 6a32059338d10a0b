#include "acol/weights/weight_file.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "tensor/check.h"
#include "tensor/safetensors_header.h"  // shown()
#include "tensor/stored_numbers.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// Where training programs keep the weights of a checkpoint, the likelier first.
constexpr const char* weight_keys[] = {"state_dict", "model_state_dict", "model_state", "model",  "net",
                                       "network",    "weights",          "params",      "module", "state"};

bool holds_tensors(const PickleValue& value) {
  if (value.kind != PickleValue::Kind::dict) return false;
  for (std::size_t i = 0; i + 1 < value.items.size(); i += 2)
    if (value.items[i]->kind == PickleValue::Kind::text && value.items[i + 1]->kind == PickleValue::Kind::tensor)
      return true;
  return false;
}

// The dictionary of tensors in a checkpoint; `path` grows by the keys on the way. Null if there is none. `seen`: each
// dictionary is looked at once, however often it is in others.
const PickleValue* find_weights(const PickleValue& value, int depth, std::vector<std::string>& path,
                                std::set<const PickleValue*>& seen) {
  if (value.kind != PickleValue::Kind::dict || !seen.insert(&value).second) return nullptr;
  for (const char* key : weight_keys) {
    const PickleValue* inner = value.find(key);
    if (inner == nullptr || depth == 0) continue;
    path.emplace_back(key);
    if (const PickleValue* found = find_weights(*inner, depth - 1, path, seen)) return found;
    path.pop_back();
  }
  return holds_tensors(value) ? &value : nullptr;
}

// "a dictionary with 'epoch', 'args'"
std::string description(const PickleValue& value) {
  using Kind = PickleValue::Kind;
  if (value.kind == Kind::tensor) return "a single tensor";
  if (value.kind != Kind::dict) return value.is_container() ? "a list" : "no dictionary";
  std::string text = "a dictionary with";
  int shown_keys = 0;
  for (std::size_t i = 0; i + 1 < value.items.size() && shown_keys < 5; i += 2)
    if (value.items[i]->kind == Kind::text) text += (shown_keys++ ? ", " : " ") + shown(value.items[i]->text);
  return shown_keys == 0 ? "an empty dictionary, or one without names" : text;
}

std::vector<int> axes_of(std::size_t rank) {
  std::vector<int> axes;
  for (std::size_t axis = 0; axis < rank; ++axis) axes.push_back(static_cast<int>(axis));
  return axes;
}

}  // namespace

std::int64_t WeightEntry::count() const {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;  // whatever the others multiply to
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool WeightEntry::readable() const { return is_read(dtype) && has_shape(shape); }

Shape WeightEntry::extents() const {
  check(readable(), "tensor ", shown(name), " of type ", dtype, " and shape ", shape_text(), " cannot be read");
  return shape_of(shape);
}

std::string WeightEntry::shape_text() const {
  std::string text = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) text += (axis ? ", " : "") + std::to_string(shape[axis]);
  return text + ")";
}

WeightFile::WeightFile(const fs::path& path) : path_(path) {
  {
    // A header of safetensors is looked for first: its length can begin with the same bytes as PyTorch's formats, none
    // of which has a brace there.
    const InputFile file(path);
    char begin[9] = {};
    const bool braces = file.read(0, begin, sizeof begin) && begin[8] == '{';
    const bool pth = !braces && looks_like_pth(file);
    check(braces || pth || path.extension() == ".safetensors", path.string(),
          ": neither a safetensors file nor one of PyTorch's torch.save()");
    pth ? open_pth() : open_safetensors();
  }
  take_prefix_off();
  for (std::size_t i = 0; i < entries_.size(); ++i)
    check(numbers_.emplace(entries_[i].name, i).second, path_.string(), ": tensor ", shown(entries_[i].name),
          " is there twice, once as ", shown(entries_[i].stored_name));
}

void WeightFile::open_pth() {
  pth_ = std::make_unique<PthReader>(path_);
  format_ = pth_->format();
  std::vector<std::string> keys;
  std::set<const PickleValue*> seen;
  const PickleValue* weights = find_weights(pth_->root(), 4, keys, seen);
  check(weights != nullptr, path_.string(), ": holds ", description(pth_->root()),
        ", but no tensors under names; save the state_dict() of the network");
  for (const std::string& key : keys) notes_.push_back("entry '" + key + "'");
  for (std::size_t i = 0; i + 1 < weights->items.size(); i += 2) {
    const PickleValue &key = *weights->items[i], &value = *weights->items[i + 1];
    if (key.kind != PickleValue::Kind::text || value.kind != PickleValue::Kind::tensor) continue;
    const PickleTensor& tensor = value.tensor.front();
    entries_.push_back({key.text, key.text, tensor.storage.dtype, tensor.shape});
    tensors_.push_back(&tensor);
  }
  if (std::string model = pth_->extra(pth_model_record); !model.empty()) metadata_["acol_model"] = std::move(model);
  if (std::string training = pth_->extra(pth_training_record); !training.empty())
    metadata_["acol_training"] = std::move(training);
}

void WeightFile::open_safetensors() {
  safetensors_ = std::make_unique<SafetensorsReader>(path_);
  format_ = "safetensors";
  metadata_ = safetensors_->metadata();
  for (const SafetensorsEntry& entry : safetensors_->entries())
    entries_.push_back({entry.name, entry.name, entry.dtype, {entry.shape.begin(), entry.shape.end()}});
}

void WeightFile::take_prefix_off() {
  // PyTorch's own examples wrap the trunk alone.
  const std::string features = "features.", module = "module.";
  bool wrapped = false;
  for (WeightEntry& entry : entries_)
    if (const std::size_t at = entry.name.find(features + module); at != std::string::npos) {
      entry.name.erase(at + features.size(), module.size());
      wrapped = true;
    }
  if (wrapped) notes_.emplace_back("'features.module.' read as 'features.'");

  const std::string first_layer = "features.0.weight";
  std::string prefix;
  for (const WeightEntry& entry : entries_)
    if (prefix.empty() && entry.name.ends_with("." + first_layer))
      prefix = entry.name.substr(0, entry.name.size() - first_layer.size());
  // A part of a network, or another one: the usual prefix only, and only where all have it.
  const bool all = !entries_.empty() && std::all_of(entries_.begin(), entries_.end(), [&](const WeightEntry& entry) {
    return entry.name.starts_with(module);
  });
  if (prefix.empty() && all) prefix = module;
  if (prefix.empty()) return;
  for (WeightEntry& entry : entries_)
    if (entry.name.starts_with(prefix)) entry.name.erase(0, prefix.size());
  notes_.push_back("prefix '" + printable(prefix) + "' taken off");
}

const WeightEntry* WeightFile::find(const std::string& name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? nullptr : &entries_[found->second];
}

const WeightEntry& WeightFile::entry(const std::string& name) const {
  const WeightEntry* found = find(name);
  check(found != nullptr, path_.string(), ": tensor ", printable(name), " is missing");
  check(found->readable(), path_.string(), ": tensor ", name, " of type ", found->dtype, " and shape ",
        found->shape_text(), " cannot be read");
  return *found;
}

Tensor WeightFile::read(const std::string& name) const {
  Tensor tensor = Tensor::empty_on_host(entry(name).extents());
  read_into(name, tensor);
  return tensor;
}

void WeightFile::read_into(const std::string& name, Tensor& to) const {
  const WeightEntry& from = entry(name);
  check(from.extents() == to.shape(), path_.string(), ": tensor ", name, " has shape ", from.shape_text(),
        ", wanted is ", to.shape().str());
  if (safetensors_)
    safetensors_->read_into(from.stored_name, to);
  else
    pth_->read(*tensors_[numbers_.at(name)], axes_of(from.shape.size()), name, to);
}

void WeightFile::read_filter_into(const std::string& name, Tensor& to) const {
  const WeightEntry& from = entry(name);
  const Shape& shape = to.shape();
  check(shape.rank() == 4, "read_filter_into: wants a filter (O, R, S, C), got shape ", shape.str());
  const Shape wanted{shape[0], shape[3], shape[1], shape[2]};
  check(from.extents() == wanted, path_.string(), ": tensor ", name, " has shape ", from.shape_text(), ", wanted is ",
        wanted.str());
  if (safetensors_)
    safetensors_->read_filter_into(from.stored_name, to);
  else
    pth_->read(*tensors_[numbers_.at(name)], {0, 2, 3, 1}, name, to);
}

}  // namespace acol
