/* What Node calls to change files, each written down as recorder.c explains, and what no record can tell. */
#include "recorder.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Ends an operation on which the lock was taken. */
static int finish(int result) {
  if (result < 0) note(FAILED, 0, 0, NULL, 0);
  give_lock();
  return result;
}

static ssize_t finish_write(ssize_t result, size_t length) {
  if (result < 0 || (size_t)result < length) note(FAILED, 0, result < 0 ? 0 : result, NULL, 0);
  give_lock();
  return result;
}

/* Notes what no record can tell, where the descriptor is watched. */
static void refuse(int descriptor, const char *name) {
  uint32_t handle = take_handle(descriptor);
  if (handle == 0) return;
  note(UNKNOWN, handle, 0, name, strlen(name));
  give_lock();
}

/* ---- opening ---- */

static int open_and_note(int at, const char *path, int flags, mode_t mode) {
  const char *name = watched_name(path);
  if (name == NULL) return REAL(openat)(at, path, flags, mode);
  take_lock();
  struct stat status;
  int exists = fstatat(at, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
  uint64_t made = !exists && (flags & O_CREAT) != 0 ? 1 : 0;
  uint64_t emptied = exists && (flags & O_TRUNC) != 0 ? 2 : 0;
  uint32_t handle = new_handle();
  note(OPENED, handle, made | emptied, name, strlen(name));
  int descriptor = REAL(openat)(at, path, flags, mode);
  if (descriptor >= 0) remember(descriptor, handle);
  return finish(descriptor);
}

#define OPTIONAL_MODE(flags)                                 \
  mode_t mode = 0;                                           \
  if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) {            \
    va_list rest;                                            \
    va_start(rest, flags);                                   \
    mode = va_arg(rest, mode_t);                             \
    va_end(rest);                                            \
  }

int open(const char *path, int flags, ...) {
  OPTIONAL_MODE(flags)
  return open_and_note(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  OPTIONAL_MODE(flags)
  return open_and_note(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
  OPTIONAL_MODE(flags)
  return open_and_note(at, path, flags, mode);
}

int close(int descriptor) {
  forget(descriptor);
  return REAL(close)(descriptor);
}

/* ---- writing ---- */

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
  uint32_t handle = take_handle(descriptor);
  if (handle == 0) return REAL(pwrite64)(descriptor, bytes, length, offset);
  note(WRITTEN, handle, offset, bytes, length);
  return finish_write(REAL(pwrite64)(descriptor, bytes, length, offset), length);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
  return pwrite64(descriptor, bytes, length, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
  uint32_t handle = take_handle(descriptor);
  if (handle == 0) return REAL(write)(descriptor, bytes, length);
  int appends = (fcntl(descriptor, F_GETFL) & O_APPEND) != 0;
  struct stat status;
  fstat(descriptor, &status);
  off_t offset = appends ? status.st_size : lseek(descriptor, 0, SEEK_CUR);
  note(WRITTEN, handle, offset, bytes, length);
  return finish_write(REAL(write)(descriptor, bytes, length), length);
}

static int is_watched(int descriptor) {
  uint32_t handle = take_handle(descriptor);
  if (handle != 0) give_lock();
  return handle != 0;
}

/* A watched file takes the parts one by one; as with the real function, fewer bytes than asked may be written. */
static ssize_t write_parts(int descriptor, const struct iovec *parts, int count, off64_t offset) {
  ssize_t total = 0;
  for (int index = 0; index < count; index += 1) {
    size_t length = parts[index].iov_len;
    ssize_t written = offset < 0 ? write(descriptor, parts[index].iov_base, length)
                                 : pwrite64(descriptor, parts[index].iov_base, length, offset + total);
    if (written < 0) return total > 0 ? total : -1;
    total += written;
    if ((size_t)written < length) break;
  }
  return total;
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  if (!is_watched(descriptor)) return REAL(writev)(descriptor, parts, count);
  return write_parts(descriptor, parts, count, -1);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) {
  if (!is_watched(descriptor)) return REAL(pwritev64)(descriptor, parts, count, offset);
  return write_parts(descriptor, parts, count, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(descriptor, parts, count, offset);
}

int ftruncate64(int descriptor, off64_t size) {
  uint32_t handle = take_handle(descriptor);
  if (handle == 0) return REAL(ftruncate64)(descriptor, size);
  note(TRUNCATED, handle, size, NULL, 0);
  return finish(REAL(ftruncate64)(descriptor, size));
}

int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }

/* ---- syncing ---- */

static int sync_and_note(int descriptor, int (*real)(int)) {
  uint32_t handle = take_handle(descriptor);
  int result = real(descriptor);
  if (handle == 0) return result;
  if (result == 0) note(SYNCED, handle, 0, NULL, 0);
  give_lock();
  return result;
}

int fsync(int descriptor) { return sync_and_note(descriptor, REAL(fsync)); }

/* It leaves out times and the like, not the size: for us it is fsync. */
int fdatasync(int descriptor) { return sync_and_note(descriptor, REAL(fdatasync)); }

/* ---- names ---- */

/* Takes the lock, which `finish` gives back. */
static void note_name(enum kind kind, const char *name) {
  take_lock();
  note(kind, 0, 0, name, strlen(name));
}

int unlink(const char *path) {
  const char *name = watched_name(path);
  if (name == NULL) return REAL(unlink)(path);
  note_name(REMOVED, name);
  return finish(REAL(unlink)(path));
}

int unlinkat(int at, const char *path, int flags) {
  const char *name = watched_name(path);
  if (name == NULL) return REAL(unlinkat)(at, path, flags);
  note_name(REMOVED, name);
  return finish(REAL(unlinkat)(at, path, flags));
}

int rmdir(const char *path) {
  const char *name = watched_name(path);
  if (name == NULL) return REAL(rmdir)(path);
  note_name(REMOVED, name);
  return finish(REAL(rmdir)(path));
}

int mkdir(const char *path, mode_t mode) {
  const char *name = watched_name(path);
  if (name == NULL) return REAL(mkdir)(path, mode);
  note_name(FOLDER, name);
  return finish(REAL(mkdir)(path, mode));
}

int rename(const char *from, const char *to) {
  const char *old_name = watched_name(from);
  const char *new_name = watched_name(to);
  if (old_name == NULL && new_name == NULL) return REAL(rename)(from, to);
  if (old_name == NULL || new_name == NULL) give_up("a file is moved into the folder or out of it");
  size_t old_length = strlen(old_name) + 1;
  size_t new_length = strlen(new_name);
  char both[old_length + new_length];
  memcpy(both, old_name, old_length);
  memcpy(both + old_length, new_name, new_length);
  take_lock();
  note(RENAMED, 0, 0, both, old_length + new_length);
  return finish(REAL(rename)(from, to));
}

/* ---- what no record can tell ---- */

int link(const char *from, const char *to) {
  const char *name = watched_name(to);
  if (name == NULL) return REAL(link)(from, to);
  note_name(UNKNOWN, "link");
  return finish(REAL(link)(from, to));
}

static void refuse_shared_writing(int descriptor, int protection, int flags) {
  if ((flags & MAP_SHARED) != 0 && (protection & PROT_WRITE) != 0) refuse(descriptor, "mmap");
}

void *mmap64(void *address, size_t length, int protection, int flags, int descriptor, off64_t offset) {
  if (descriptor >= 0) refuse_shared_writing(descriptor, protection, flags);
  return REAL(mmap64)(address, length, protection, flags, descriptor, offset);
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  return mmap64(address, length, protection, flags, descriptor, offset);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
  refuse(to, "sendfile");
  return REAL(sendfile64)(to, from, offset, count);
}

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length,
                        unsigned int flags) {
  refuse(to, "copy_file_range");
  return REAL(copy_file_range)(from, from_offset, to, to_offset, length, flags);
}
