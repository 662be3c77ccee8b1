;;; stepfare-connection.el --- The language server of each project, for spend and commands -*- lexical-binding: t; -*-

;; Copyright (C) 2026 stepfare authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; One connection for each project that is visited.  Eglot takes one server a buffer, and code files have theirs; so the spend comes over
;; a connection of its own, in every buffer and with any client.  It opens no documents: editing .stepfare.toml is left to the clients.

;;; Code:

(require 'jsonrpc)
(require 'project)
(require 'subr-x)
(require 'url-util)

(defcustom stepfare-server-command '("stepfare-lsp" "--stdio")
  "The language server and its arguments."
  :type '(repeat string)
  :group 'stepfare)

(defcustom stepfare-offer-to-start t
  "Whether to ask, once, to start a daemon that is not running."
  :type 'boolean
  :group 'stepfare)

(defconst stepfare-connection-timeout-s 60 "How long a command may take: starting the daemon is one.")

(defvar stepfare-connection--all (make-hash-table :test #'equal) "Connections by the root of their project.")
(defvar stepfare-connection--spends (make-hash-table :test #'equal) "What was last said of spending, by the root of the project.")

(defvar stepfare-spend-functions nil
  "Called with the root of a project and what it spends, a plist.")

(defun stepfare-connection-program ()
  "The path of the language server, or nil."
  (executable-find (car stepfare-server-command)))

(defun stepfare-connection-root ()
  "The root of the current buffer's project, or nil.
That is the nearest folder with a .stepfare.toml, else what Emacs takes
for a project."
  (let ((found (or (locate-dominating-file default-directory ".stepfare.toml")
                   (when-let ((project (project-current)))
                     (project-root project)))))
    (and found (directory-file-name (expand-file-name found)))))

(defun stepfare-connection-to (root)
  "The connection for the project at ROOT, made if there is none."
  (let ((known (gethash root stepfare-connection--all)))
    (if (and known (jsonrpc-running-p known))
        known
      (puthash root (stepfare-connection--start root) stepfare-connection--all))))

(defun stepfare-connection--start (root)
  (let* ((default-directory (file-name-as-directory root))
         (connection
          (make-instance
           'jsonrpc-process-connection
           :name (format "stepfare %s" (file-name-nondirectory root))
           :process (lambda ()
                      (make-process :name "stepfare-lsp" :command stepfare-server-command :connection-type 'pipe
                                    :coding 'utf-8-emacs-unix :noquery t :stderr (get-buffer-create " *stepfare-lsp stderr*")))
           :request-dispatcher (lambda (_ method params) (stepfare-connection--asked method params))
           :notification-dispatcher (lambda (_ method params) (stepfare-connection--told root method params))
           :on-shutdown (lambda (_) (stepfare-connection--ended root)))))
    (jsonrpc-async-request
     connection :initialize
     (list :processId (emacs-pid)
           :rootUri (stepfare-connection--uri root)
           :workspaceFolders (vector (list :uri (stepfare-connection--uri root) :name (file-name-nondirectory root)))
           :initializationOptions (list :offer_to_start (if stepfare-offer-to-start t :json-false))
           :capabilities '(:workspace (:applyEdit :json-false :workspaceFolders t)
                           :window (:showMessage (:messageActionItem (:additionalPropertiesSupport :json-false))
                                    :showDocument (:support t))))
     :success-fn (lambda (_) (jsonrpc-notify connection :initialized (make-hash-table)))
     :error-fn (lambda (failure) (message "stepfare: %s" (plist-get failure :message)))
     :timeout stepfare-connection-timeout-s
     :timeout-fn (lambda () (message "stepfare: the language server does not answer.")))
    connection))

(defun stepfare-connection--uri (path)
  (concat "file://" (url-hexify-string path (cons ?/ url-unreserved-chars))))

(defun stepfare-connection-request (method params)
  "Ask the server of this buffer's project METHOD with PARAMS.
The answer is returned; an error says in words what is wrong."
  (unless (stepfare-connection-program)
    (user-error "%s is not there: install it with `uv tool install stepfare', or set `stepfare-server-command'"
                (car stepfare-server-command)))
  (let ((root (or (stepfare-connection-root) (directory-file-name (expand-file-name default-directory)))))
    (condition-case failure
        (jsonrpc-request (stepfare-connection-to root) method (or params (make-hash-table))
                         :timeout stepfare-connection-timeout-s)
      ;; The server's own words are what the user wants to read.
      (jsonrpc-error (user-error "%s" (or (alist-get 'jsonrpc-error-message (cddr failure)) (error-message-string failure)))))))

(defun stepfare-connection-spend ()
  "What was last said of this buffer's project, a plist, or nil."
  (and (> (hash-table-count stepfare-connection--spends) 0)
       (when-let ((root (stepfare-connection--root-of-buffer)))
         (gethash root stepfare-connection--spends))))

(defvar-local stepfare-connection--root nil
  "The root of this buffer's project, once looked for; `none' for none.")

(defun stepfare-connection--root-of-buffer ()
  "The same as `stepfare-connection-root', looked for once.
The mode line is drawn often."
  (unless stepfare-connection--root
    (setq stepfare-connection--root (or (and (not (file-remote-p default-directory)) (stepfare-connection-root)) 'none)))
  (and (stringp stepfare-connection--root) stepfare-connection--root))

(defun stepfare-connection--told (root method params)
  (pcase method
    ('stepfare/spend
     (puthash root params stepfare-connection--spends)
     (run-hook-with-args 'stepfare-spend-functions root params)
     (force-mode-line-update t))
    ('window/showMessage (message "%s" (plist-get params :message)))))

(defun stepfare-connection--asked (method params)
  (pcase method
    ('window/showMessageRequest (stepfare-connection--choose params))
    ('window/showDocument (stepfare-connection--show params))
    ('workspace/configuration (make-vector (length (plist-get params :items)) nil))
    ((or 'client/registerCapability 'window/workDoneProgress/create) nil)
    (_ (jsonrpc-error :code -32601 :message "Emacs cannot do that"))))

(defun stepfare-connection--choose (params)
  "Let the user answer the question in PARAMS with one of its buttons.
Leaving it is an answer too."
  (let* ((titles (mapcar (lambda (action) (plist-get action :title)) (plist-get params :actions)))
         (chosen (and (not noninteractive)
                      (condition-case nil
                          (completing-read (concat (plist-get params :message) " ") titles nil t)
                        (quit nil)))))
    (and (member chosen titles) (list :title chosen))))

(defun stepfare-connection--show (params)
  (let ((uri (plist-get params :uri)))
    (if (eq t (plist-get params :external))
        (browse-url uri)
      (find-file-other-window (url-unhex-string (string-remove-prefix "file://" uri))))
    '(:success t)))

(defun stepfare-connection--ended (root)
  (remhash root stepfare-connection--all)
  (remhash root stepfare-connection--spends)
  (force-mode-line-update t))

(defun stepfare-connection-close-all ()
  "End the servers of all projects."
  (maphash (lambda (_ connection)
             (ignore-errors (jsonrpc-request connection :shutdown nil :timeout 2))
             (ignore-errors (jsonrpc-notify connection :exit nil))
             (ignore-errors (jsonrpc-shutdown connection t)))
           (copy-hash-table stepfare-connection--all)))

(add-hook 'kill-emacs-hook #'stepfare-connection-close-all)

(provide 'stepfare-connection)
;;; stepfare-connection.el ends here
