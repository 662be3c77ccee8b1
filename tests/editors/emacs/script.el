;;; What a person's init.el would say, then what they would look at; each line printed is a name and a value in JSON.  -*- lexical-binding: t; -*-

(require 'json)
(require 'seq)

(defvar script-folder (getenv "SCRIPT_FOLDER") "The project.")
(defvar script-notes (getenv "SCRIPT_NOTES") "A folder in which this script and the test leave notes for each other.")
(defvar script-said nil "What was shown in the echo area.")

(defun script-print (name value)
  (princ (concat (json-encode (list name value)) "\n")))

(defun script-wait (what)
  "Wait until WHAT says something; what it says."
  (let ((until (time-add nil 30)) found)
    (while (not (setq found (funcall what)))
      (when (time-less-p until nil)
        (error "Waited in vain for %S" what))
      (accept-process-output nil 0.05))
    found))

(defun script-meanwhile (note)
  "Let the test do something: leave NOTE, and go on when it is gone."
  (write-region "" nil (expand-file-name note script-notes))
  (script-wait (lambda () (not (file-exists-p (expand-file-name note script-notes))))))

(advice-add 'message :before
            (lambda (format &rest arguments)
              (when format (push (apply #'format-message format arguments) script-said))))

(defun script-run (command &rest arguments)
  "What COMMAND shows."
  (setq script-said nil)
  (apply command arguments)
  (script-wait (lambda () script-said))
  (car script-said))

(setq stepfare-client (intern (getenv "SCRIPT_CLIENT"))
      stepfare-server-command (json-parse-string (getenv "SCRIPT_SERVER") :array-type 'list)
      stepfare-offer-to-start nil
      eglot-sync-connect 20
      lsp-session-file (expand-file-name "lsp-session" script-notes)
      lsp-auto-guess-root t
      lsp-enable-file-watchers nil
      lsp-enable-snippet nil
      lsp-modeline-workspace-status-enable nil
      lsp-enable-suggest-server-download nil)
(add-to-list 'load-path (getenv "SCRIPT_PACKAGE"))
(require 'stepfare)
(stepfare-setup)

(find-file (expand-file-name "app.py" script-folder))
(script-print "first" (script-wait (lambda () (stepfare-connection-spend) (string-trim (stepfare-mode-line)))))
(script-wait (lambda () (not (string-empty-p (stepfare-mode-line)))))
(script-meanwhile "take-a-step")
(script-wait (lambda () (string-match-p "balanced" (stepfare-mode-line))))
(script-print "mode-line" (substring-no-properties (string-trim (stepfare-mode-line))))
(script-print "in-mode-line" (and (member '(:eval (stepfare-mode-line)) mode-line-misc-info) t))
(script-print "spend" (script-run #'stepfare-session-spend))
(script-print "explain" (script-run #'stepfare-explain-last))
(script-print "status" (script-run #'stepfare-status))
(script-run #'stepfare-pin-session "premium")
(script-meanwhile "look-at-the-pin")

(find-file (expand-file-name ".stepfare.toml" script-folder))
(script-print "mode" (symbol-name major-mode))
(pcase stepfare-client
  ('eglot
   (unless (eglot-current-server) (apply #'eglot (eglot--guess-contact)))
   (script-print "diagnostics"
                 (script-wait (lambda ()
                                (flymake-start)
                                (mapcar #'flymake-diagnostic-text (flymake-diagnostics)))))
   (goto-char (point-min))
   (search-forward "edt")
   (script-print "actions" (mapcar (lambda (action) (plist-get action :title)) (append (eglot-code-actions (point) (point)) nil)))
   (eglot-shutdown (eglot-current-server)))
  ('lsp-mode
   (lsp-workspace-folders-add script-folder)
   (lsp)
   (script-wait (lambda () (> (hash-table-count (lsp-diagnostics)) 0)))
   (script-print "diagnostics"
                 (mapcar (lambda (one) (gethash "message" one)) (car (hash-table-values (lsp-diagnostics)))))
   (goto-char (point-min))
   (search-forward "edt")
   (script-print "actions" (mapcar (lambda (action) (gethash "title" action)) (append (lsp-code-actions-at-point) nil)))))

(find-file (expand-file-name "app.py" script-folder))
(script-meanwhile "end-the-daemon")
(script-wait (lambda () (string-match-p "off" (stepfare-mode-line))))
(script-print "off" (substring-no-properties (string-trim (stepfare-mode-line))))
(stepfare-connection-close-all)
(kill-emacs 0)
