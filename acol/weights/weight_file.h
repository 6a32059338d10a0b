// Named tensors in a file, whoever wrote it: safetensors (tensor/safetensors.h) or torch.save() (pth.h).
//
// Of a training checkpoint, the weights: the dictionary of tensors under "state_dict", "model" or the like is taken and
// the optimizer and the rest are left. What wrappers put in front of names goes: "module." (DataParallel), "model.",
// "backbone." and every other prefix that the trunk's first layer, features.0.weight, has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "acol/weights/pth.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"

namespace acol {

struct WeightEntry {
  std::string name;         // without the wrappers' prefix
  std::string stored_name;  // as the file has it
  std::string dtype;        // "F32", "F16", "BF16", "F64", "I64", ...
  std::vector<std::int64_t> shape;

  std::int64_t count() const;  // of its numbers
  // Whether its numbers can be read: floating point of 16 bits or more, at most four extents.
  bool readable() const;
  // Of what is readable; a scalar becomes (1). Error otherwise.
  Shape extents() const;
  std::string shape_text() const;  // "(64, 3, 3, 3)"
};

class WeightFile {
 public:
  // The format is told by the content, not by the ending. Error naming the file: none of them, or as their readers say;
  // a checkpoint without tensors under names; two names that become equal without their prefix.
  explicit WeightFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::string& format() const { return format_; }  // "safetensors", "PyTorch, zip", "PyTorch, legacy"
  // In the file's order. The numbers are read on demand.
  const std::vector<WeightEntry>& entries() const { return entries_; }
  const WeightEntry* find(const std::string& name) const;  // null if there is none
  // What was unwrapped, a phrase each: "entry 'state_dict'", "prefix 'module.' taken off".
  const std::vector<std::string>& notes() const { return notes_; }
  // The texts of a safetensors header, or the record acol_model.json of a .pth that acol wrote.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // As float32, whatever is stored. Error naming the file and the tensor: no such name, not readable, another shape
  // than wanted, the file cannot be read any more.
  Tensor read(const std::string& name) const;                          // the file's order of axes
  void read_into(const std::string& name, Tensor& to) const;           // equal shape
  void read_filter_into(const std::string& name, Tensor& orsc) const;  // (O, C, R, S) -> (O, R, S, C)

 private:
  void open_pth();
  void open_safetensors();
  void take_prefix_off();
  const WeightEntry& entry(const std::string& name) const;

  std::filesystem::path path_;
  std::string format_;
  std::vector<WeightEntry> entries_;
  std::map<std::string, std::size_t> numbers_;  // of entries, by name
  std::vector<std::string> notes_;
  std::map<std::string, std::string> metadata_;
  std::unique_ptr<SafetensorsReader> safetensors_;
  std::unique_ptr<PthReader> pth_;
  std::vector<const PickleTensor*> tensors_;  // of entries, in a .pth
};

// Records of a .pth that hold what a safetensors file has as metadata "acol_model" and "acol_training".
constexpr const char* pth_model_record = "acol_model.json";
constexpr const char* pth_training_record = "acol_training.json";

}  // namespace acol
