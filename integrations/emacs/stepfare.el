;;; stepfare.el --- What coding agents spend, and why -*- lexical-binding: t; -*-

;; Copyright (C) 2026 stepfare authors
;; SPDX-License-Identifier: MIT
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: tools, languages
;; URL: https://github.com/stepfare/stepfare

;;; Commentary:

;; The face of the package: `stepfare-setup', a segment for the mode line, and the commands.  What the language server says is shown as
;; it is; nothing is computed here.  The talking is done in `stepfare-connection', the editing of .stepfare.toml by Eglot or lsp-mode.

;;; Code:

(require 'conf-mode)
(require 'stepfare-connection)
(require 'stepfare-protocol)

(declare-function stepfare-eglot-setup "stepfare-eglot" ())
(declare-function stepfare-lsp-mode-setup "stepfare-lsp-mode" ())

(defgroup stepfare nil
  "What coding agents spend, and why."
  :group 'tools
  :prefix "stepfare-")

(defcustom stepfare-client 'eglot
  "What attaches the language server to .stepfare.toml."
  :type '(choice (const :tag "Eglot" eglot) (const :tag "lsp-mode" lsp-mode) (const :tag "Nothing" nil)))

(defcustom stepfare-in-mode-line t
  "Whether `stepfare-setup' puts the spend into the mode line of all buffers."
  :type 'boolean)

(defface stepfare-warning '((t :inherit warning)) "The spend, near a budget.")
(defface stepfare-error '((t :inherit error)) "The spend, at a budget.")

;;;###autoload
(define-derived-mode stepfare-dotfile-mode conf-toml-mode "stepfare"
  "Major mode for .stepfare.toml, so that other TOML files keep their own servers.")

;;;###autoload
(add-to-list 'auto-mode-alist '("/\\.stepfare\\.toml\\'" . stepfare-dotfile-mode))

;;;###autoload
(defun stepfare-setup ()
  "Show the spend of visited projects; check .stepfare.toml."
  (interactive)
  (add-hook 'find-file-hook #'stepfare--visited)
  (when stepfare-in-mode-line
    (add-to-list 'mode-line-misc-info '(:eval (stepfare-mode-line)) t))
  (pcase stepfare-client
    ('eglot (require 'stepfare-eglot) (stepfare-eglot-setup))
    ('lsp-mode (require 'stepfare-lsp-mode) (stepfare-lsp-mode-setup)))
  (dolist (buffer (buffer-list))
    (with-current-buffer buffer (stepfare--visited))))

(defun stepfare--visited ()
  "Connect the project of a buffer that visits a file.
A program that is missing is said by the commands."
  (when (and buffer-file-name (not (file-remote-p buffer-file-name)) (stepfare-connection-program))
    (when-let ((root (stepfare-connection-root)))
      (stepfare-connection-to root))))

(defun stepfare-mode-line ()
  "What the server says of this buffer's project, as $0.42 . balanced.
Empty where nothing is known."
  (let* ((spend (stepfare-connection-spend))
         (text (plist-get spend :text)))
    (if (not text)
        ""
      (propertize (concat " " (string-replace "%" "%%" text))
                  'help-echo (or (plist-get spend :tooltip) "stepfare")
                  'face (pcase (plist-get spend :severity)
                          ("warning" 'stepfare-warning)
                          ("error" 'stepfare-error))))))

(defun stepfare--run (command &rest arguments)
  "Run the server's COMMAND with the plist ARGUMENTS.
The server shows what it says, and the result is returned."
  (stepfare-connection-request :workspace/executeCommand
                               (list :command command :arguments (if arguments (vector arguments) []))))

(defun stepfare--read (command)
  "Ask for what COMMAND needs, in the words of the server's table."
  (pcase-let ((`(,_ ,prompt ,options) (car (nth 2 (assoc command stepfare-protocol-commands)))))
    (completing-read (concat prompt " ") options nil t)))

;;;###autoload
(defun stepfare-session-spend ()
  "Say what this project's newest session cost."
  (interactive)
  (stepfare--run "stepfare.sessionSpend"))

;;;###autoload
(defun stepfare-sessions ()
  "List the sessions, newest first."
  (interactive)
  (stepfare--run "stepfare.sessions"))

;;;###autoload
(defun stepfare-today-spend ()
  "Say what today cost."
  (interactive)
  (stepfare--run "stepfare.todaySpend"))

;;;###autoload
(defun stepfare-explain-last ()
  "Say why the last step got its model."
  (interactive)
  (stepfare--run "stepfare.explainLast"))

;;;###autoload
(defun stepfare-show-session ()
  "Show the newest session step by step."
  (interactive)
  (stepfare--run "stepfare.showSession"))

;;;###autoload
(defun stepfare-pin-session (tier)
  "Let TIER serve all that comes of the newest session."
  (interactive (list (stepfare--read "stepfare.pinSession")))
  (stepfare--run "stepfare.pinSession" :tier tier))

;;;###autoload
(defun stepfare-unpin-session ()
  "Let each step have the tier that is right for it again."
  (interactive)
  (stepfare--run "stepfare.unpinSession"))

;;;###autoload
(defun stepfare-set-tier (tier)
  "Let the project start from TIER, a profile, in its .stepfare.toml."
  (interactive (list (stepfare--read "stepfare.setTier")))
  (stepfare--run "stepfare.setTier" :tier tier))

;;;###autoload
(defun stepfare-extend-budget (usd scope)
  "Add USD (a number as text) to the budget of SCOPE, once."
  (interactive (list (read-string "US dollars: " "1.00")
                     (completing-read "Budget: " '("session" "project" "day" "month") nil t nil nil "session")))
  (stepfare--run "stepfare.extendBudget" :usd usd :scope scope))

;;;###autoload
(defun stepfare-open-dashboard ()
  "Open the dashboard in a browser."
  (interactive)
  (stepfare--run "stepfare.openDashboard"))

;;;###autoload
(defun stepfare-create-dotfile ()
  "Make a .stepfare.toml for this project."
  (interactive)
  (stepfare--run "stepfare.createDotfile"))

;;;###autoload
(defun stepfare-start-daemon ()
  "Start the daemon."
  (interactive)
  (stepfare--run "stepfare.startDaemon"))

;;;###autoload
(defun stepfare-status ()
  "Say how the daemon is."
  (interactive)
  (stepfare--run "stepfare.status"))

;;;###autoload
(defun stepfare ()
  "Choose from what can be done now."
  (interactive)
  (let* ((items (append (plist-get (stepfare-connection-request :stepfare/menu nil) :items) nil))
         (labels (mapcar (lambda (item) (cons (plist-get item :label) item)) items))
         (chosen (cdr (assoc (completing-read "stepfare: " labels nil t) labels))))
    (when chosen
      (stepfare-connection-request :workspace/executeCommand
                                   (list :command (plist-get chosen :command)
                                         :arguments (or (plist-get chosen :arguments) []))))))

(provide 'stepfare)
;;; stepfare.el ends here
