// Runs the built program as a user does, and keeps what it says.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace acol {

// A new folder under the system's for temporary files, removed with all it holds at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "acol-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct Output {
  int status = -1;  // exit status; 128 + number if a signal ended it
  std::string out, err;
};

// Nothing on stdout, one line on stderr that opens with the program's name and holds `part`.
inline void check_one_line_error(const std::vector<std::string>& words, const Output& output, int status,
                                 const std::string& part = "") {
  std::string line;
  for (const std::string& word : words) line += word + " ";
  CAPTURE(line);
  CHECK(output.status == status);
  CHECK(output.out == "");
  CHECK(output.err.starts_with("acol: "));
  CHECK_MESSAGE(contains(output.err, part), output.err);
  CHECK(std::count(output.err.begin(), output.err.end(), '\n') == 1);
}

// A running `acol ARGS`. Its output goes to files, so that no pipe can fill up.
class Process {
 public:
  // `environment`: "NAME=value" entries on top of ours.
  explicit Process(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words{ACOL_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> extra = environment;
    const std::string out = folder_ / "out", err = folder_ / "err";
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      for (std::string& entry : extra) ::putenv(entry.data());
      const int out_file = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      const int err_file = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(out_file, STDOUT_FILENO);
      ::dup2(err_file, STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const { ::kill(pid_, signal); }

  // True once it has ended.
  bool ended() {
    if (pid_ <= 0) return true;
    if (::waitpid(pid_, &status_, WNOHANG) != pid_) return false;
    pid_ = 0;
    return true;
  }

  // Waits for the end. A program that takes longer than `seconds` is killed and fails the test by its status.
  Output wait(double seconds = 300) {
    const auto start = std::chrono::steady_clock::now();
    while (!ended()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > seconds) send(SIGKILL);
    }
    const int status = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    return {status, text_of_file(folder_ / "out"), text_of_file(folder_ / "err")};
  }

 private:
  TemporaryFolder folder_;
  pid_t pid_ = 0;
  int status_ = 0;
};

inline Output run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}) {
  return Process(arguments, environment).wait();
}

// a, then b.
inline std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace acol
