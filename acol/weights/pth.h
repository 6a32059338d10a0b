// Files of torch.save(), read without Python. Two formats:
//
//   zip     since PyTorch 1.6: an archive with, under one root folder, data.pkl (a pickle), data/KEY (the numbers of
//           storage KEY, raw) and perhaps byteorder ("little" or "big")
//   legacy  before, and with _use_new_zipfile_serialization=False: five pickles one after the other (a magic number,
//           the version 1001, what the writing machine was, the object, the list of storage keys), then for each key
//           of the list a 64-bit count and so many numbers. The torchvision file vgg16-397923af.pth is one.
//
// Only little-endian numbers are read. Nothing in the file is executed (pickle.h). Every tensor's place is checked
// against its storage and every storage against the file before a number is read. The archive's check sums are not
// looked at: PyTorch can be told to write none.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "acol/weights/pickle.h"
#include "tensor/file.h"
#include "tensor/tensor.h"

namespace acol {

class PthReader {
 public:
  // Error naming the file: neither format, damaged, cut off, big endian, or a pickle that asks for more than tensors
  // and containers. Old things get a sentence of their own: the tar files of PyTorch 0.1, TorchScript programs,
  // archives that compress.
  explicit PthReader(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const char* format() const { return zip_ ? "PyTorch, zip" : "PyTorch, legacy"; }
  // The object that was saved. Its tensors can be read with read().
  const PickleValue& root() const { return object_->root(); }
  // The record `name` next to data.pkl; empty if there is none (or the file is legacy) or it is longer than 16 MiB.
  std::string extra(const std::string& name) const;

  // The tensor's numbers as float32 or float64 (what `to` is), in the order of its axes: `axes` {0, 2, 3, 1} makes
  // (O, R, S, C) out of (O, C, R, S). Any strides. to.count() must be its elements.
  // Error naming the file and `name`: no floating-point numbers, the file cannot be read any more.
  void read(const PickleTensor& tensor, const std::vector<int>& axes, const std::string& name, Tensor& to) const;

 private:
  struct Record {
    std::uint64_t begin = 0, bytes = 0;  // in the file
  };
  void open_zip();
  void open_legacy();
  void check_storages() const;
  const Record& record(const PickleStorage& storage) const;

  std::filesystem::path path_;
  InputFile file_;
  bool zip_ = false;
  std::map<std::string, Record> storages_, extras_;
  std::unique_ptr<Pickle> object_;
};

// Whether the file begins as one of torch.save() does.
bool looks_like_pth(const InputFile& file);

// Writes the zip format: an OrderedDict of float32 tensors, which torch.load(path, weights_only=True) reads. Tensors
// are taken as they are: filters must be (O, C, R, S). `extras`: records next to data.pkl, which PyTorch skips.
// Atomic (tensor/file.h); equal contents give equal bytes. Error: a tensor that is not float32, no file there.
void write_pth(const std::filesystem::path& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
               const std::map<std::string, std::string>& extras = {});

}  // namespace acol
